// doveadm kick <user mask>|<ip/bits>: ends the sessions of users, by name, by address or both.
#include <fmt/format.h>

#include <cstdio>
#include <set>

#include "doveadm/commands.h"
#include "doveadm/session-query.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    auto filter = SessionFilter::from(call.arguments());
    if (!filter) call.error(filter.error().detail);
    if (!filter || call.arguments().empty()) return call.usage();
    const std::string path = call.option('a').value_or(call.socket_path("imap-sessions"));
    auto sessions = query_sessions(path);
    if (!sessions) return call.report(sessions.error());
    std::erase_if(*sessions, [&](const MailSession& each) { return !filter->accepts(each); });
    std::size_t ended = 0;
    if (!sessions->empty()) {
        auto asked = end_sessions(call.socket_path("imap-kick"), *sessions);
        if (!asked) return call.report(asked.error());
        ended = *asked;
    }
    if (ended == 0) {
        fmt::print("no users kicked\n");
        return kExitNotFound;
    }
    std::set<std::string> users;
    for (const MailSession& each : *sessions) users.insert(each.username);
    fmt::print("kicked connections from the following users:\n{}\n",
               join(std::vector<std::string>(users.begin(), users.end()), " "));
    return kExitOk;
}

}  // namespace

const CommandSpec kKick = {
    .words = "kick",
    .synopsis = "[-a <socket path>] [-f] <user mask>|<ip/bits>",
    .help = "Ends the sessions of the users that match, from the addresses that match.",
    .options = {{'a', "socket path", "The socket to ask for sessions instead of base_dir/imap-sessions"},
                {'f', "", "For Dovecot's scripts: here other sessions of a process are never ended with it"}},
    .run = run,
};

}  // namespace culver::doveadm
