// doveadm penalty: which addresses are held back because they guess passwords; lets them go.
#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "doveadm/commands.h"
#include "lib-auth/auth-master-client.h"
#include "lib-net/ip-address.h"

namespace culver::doveadm {

namespace {

constexpr std::string_view kNoAddress = "(no address)";

bool is_meant(const std::string& address, const std::vector<std::string>& masks) {
    if (masks.empty()) return true;
    const auto listed = IpNetwork::parse(address);
    for (const std::string& mask : masks) {
        if (address.empty() && mask == kNoAddress) return true;
        const auto network = IpNetwork::parse(mask);
        if (network && listed && (network->contains(listed->address) || listed->contains(network->address)))
            return true;
    }
    return false;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string clock_time(std::chrono::milliseconds from_now) {
    const std::time_t time = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
    std::tm local{};
    ::localtime_r(&time, &local);
    return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string explain(const AuthMasterClient::Penalty& penalty) {
    auto seconds = std::chrono::ceil<std::chrono::seconds>(penalty.left).count();
    std::string text = counted(penalty.distinct, "different wrong login", "different wrong logins");
    if (penalty.attempts > penalty.distinct) text += fmt::format(" in {} attempts", penalty.attempts);
    text += seconds > 0 ? fmt::format("; its next login, even a right one, is looked at in {} at {}",
                                      counted(static_cast<std::uint64_t>(seconds), "second", "seconds"),
                                      clock_time(penalty.left))
                        : std::string("; its next login is looked at at once");
    return text + fmt::format("; a right login or no failure until {} ends the penalty", clock_time(penalty.forget));
}

int clear(Invocation& call, AuthMasterClient& client) {
    std::vector<std::string> names;
    if (!call.arguments().empty()) {
        auto penalties = client.list_penalties();
        if (!penalties) {
            call.fatal(penalties.error().detail);
            return kExitTemporary;
        }
        for (const auto& penalty : *penalties)
            if (is_meant(penalty.address, call.arguments())) names.push_back(penalty.address);
        if (names.empty()) {
            print("0 penalties forgotten\n");
            return kExitOk;
        }
    }
    auto count = client.clear_penalties(names);
    if (!count) {
        call.fatal(count.error().detail);
        return kExitTemporary;
    }
    print(fmt::format("{} forgotten\n", counted(*count, "penalty", "penalties")));
    return kExitOk;
}

int run(Invocation& call) {
    AuthMasterClient client(call.socket_path(call.option('a').value_or("auth-master")));
    if (call.has('c')) return clear(call, client);
    auto penalties = client.list_penalties();
    if (!penalties) {
        call.fatal(penalties.error().detail);
        return kExitTemporary;
    }
    call.out().columns(
        {{"IP", ""}, {"penalty", ""}, {"held", ""}, {"guesses", ""}, {"until", ""}, {"explanation", ""}});
    for (const auto& penalty : *penalties) {
        if (!is_meant(penalty.address, call.arguments())) continue;
        auto seconds = std::chrono::ceil<std::chrono::seconds>(penalty.left).count();
        call.out().row({penalty.address.empty() ? std::string(kNoAddress) : penalty.address,
                        fmt::format("{}", penalty.level), fmt::format("{}", seconds),
                        fmt::format("{}", penalty.distinct), clock_time(penalty.left), explain(penalty)});
    }
    return kExitOk;
}

}  // namespace

const CommandSpec kPenalty = {
    .words = "penalty",
    .synopsis = "[-a <auth-master socket path>] [-c] [<ip/bits> [...]]",
    .help = "Shows the addresses that are held back because they guess passwords, or lets them go.",
    .options = {{'a', "auth-master socket path", "The master socket of the auth service"},
                {'c', "", "Forgets all penalties, or those of the addresses and networks given"}},
    .formatter = "table",
    .run = run,
};

}  // namespace culver::doveadm
