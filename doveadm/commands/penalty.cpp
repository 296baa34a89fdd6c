// doveadm penalty: which addresses are held back because they guess passwords; lets them go.
#include <fmt/format.h>

#include "doveadm/commands.h"
#include "lib-auth/auth-master-client.h"
#include "lib-net/ip-address.h"

namespace culver::doveadm {

namespace {

bool is_shown(const std::string& address, const std::vector<std::string>& masks) {
    if (masks.empty()) return true;
    const auto listed = IpNetwork::parse(address);
    for (const std::string& mask : masks) {
        const auto network = IpNetwork::parse(mask);
        if (network && listed && (network->contains(listed->address) || listed->contains(network->address)))
            return true;
    }
    return false;
}

int run(Invocation& call) {
    AuthMasterClient client(call.socket_path(call.option('a').value_or("auth-master")));
    if (call.has('c')) {
        auto count = client.clear_penalties(call.arguments());
        if (!count) {
            call.fatal(count.error().detail);
            return kExitTemporary;
        }
        print(fmt::format("{} penalties forgotten\n", *count));
        return kExitOk;
    }
    auto penalties = client.list_penalties();
    if (!penalties) {
        call.fatal(penalties.error().detail);
        return kExitTemporary;
    }
    call.out().columns({{"IP", ""}, {"penalty", ""}, {"held", ""}, {"explanation", ""}});
    for (const auto& penalty : *penalties) {
        if (!is_shown(penalty.address, call.arguments())) continue;
        const auto seconds = (penalty.left.count() + 999) / 1000;
        call.out().row({penalty.address.empty() ? "(no address)" : penalty.address, fmt::format("{}", penalty.level),
                        fmt::format("{}", seconds),
                        fmt::format("{} different wrong logins; {}", penalty.level,
                                    seconds > 0 ? fmt::format("the next one is looked at in {} secs", seconds)
                                                : std::string("the next one is looked at at once"))});
    }
    return kExitOk;
}

}  // namespace

const CommandSpec kPenalty = {
    .words = "penalty",
    .synopsis = "[-a <auth-master socket path>] [-c] [<ip/bits> [...]]",
    .help = "Shows the addresses that are held back because they guess passwords, or lets them go.",
    .options = {{'a', "auth-master socket path", "The master socket of the auth service"},
                {'c', "", "Forgets all penalties, or those of the addresses given"}},
    .formatter = "table",
    .run = run,
};

}  // namespace culver::doveadm
