// doveadm who [-1] [<user mask>] [<ip/bits>]: who is logged in.
#include <algorithm>
#include <map>

#include "doveadm/commands.h"
#include "doveadm/session-query.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

// One user's sessions of one protocol.
struct Group {
    std::size_t connections = 0;
    std::vector<std::string> pids, ips;
};

void add_once(std::vector<std::string>& list, const std::string& value) {
    if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

void print_each(Invocation& call, const std::vector<MailSession>& sessions) {
    call.out().columns({{"username", ""}, {"service", "proto"}, {"pid", ""}, {"ip", ""}});
    for (const MailSession& each : sessions) call.out().row({each.username, each.protocol, each.pid, each.ip});
}

void print_groups(Invocation& call, const std::vector<MailSession>& sessions) {
    std::map<std::pair<std::string, std::string>, Group> groups;
    for (const MailSession& each : sessions) {
        Group& group = groups[{each.username, each.protocol}];
        ++group.connections;
        add_once(group.pids, each.pid);
        add_once(group.ips, each.ip);
    }
    call.out().columns({{"username", ""},
                        {"connections", "#", Column::Align::Right},
                        {"service", "proto"},
                        {"pids", "(pids)"},
                        {"ips", "(ips)"}});
    for (const auto& [key, group] : groups)
        call.out().row({key.first, std::to_string(group.connections), key.second, "(" + join(group.pids, " ") + ")",
                        "(" + join(group.ips, " ") + ")"});
}

int run(Invocation& call) {
    auto filter = SessionFilter::from(call.arguments());
    if (!filter) {
        call.error(filter.error().detail);
        return call.usage();
    }
    const std::string path = call.option('a').value_or(call.socket_path("imap-sessions"));
    auto sessions = query_sessions(path);
    if (!sessions) return call.report(sessions.error());
    std::erase_if(*sessions, [&](const MailSession& each) { return !filter->accepts(each); });
    call.has('1') ? print_each(call, *sessions) : print_groups(call, *sessions);
    return kExitOk;
}

}  // namespace

const CommandSpec kWho = {
    .words = "who",
    .synopsis = "[-a <socket path>] [-1] [<user mask>] [<ip/bits>]",
    .help = "Shows who is logged in: a line per user and protocol, or with -1 a line per connection.",
    .options = {{'a', "socket path", "The socket to ask instead of base_dir/imap-sessions"},
                {'1', "", "One line per connection"}},
    .formatter = "table",
    .run = run,
};

}  // namespace culver::doveadm
