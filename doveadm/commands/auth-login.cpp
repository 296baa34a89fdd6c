// doveadm auth login: the whole login, password databases and user databases.
#include <fmt/format.h>
#include <unistd.h>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    int code = kExitOk;
    auto attempt = attempt_login(call, "auth-login", code);
    if (!attempt || code != kExitOk) return code;
    // From here on a failure is a login that does not come about: 77, whatever the reason.
    if (attempt->reply.find("nologin")) {
        call.error("userdb lookup failed: nologin is set for this user");
        return kExitNoPermission;
    }
    AuthMasterClient master(call.socket_path(call.option('m').value_or("auth-master")));
    attempt->ticket.session_pid = static_cast<std::uint32_t>(::getpid());
    auto record = master.pick_up_login(attempt->ticket);
    if (!record) {
        call.error(fmt::format("userdb lookup failed: {}", record.error().detail));
        return kExitNoPermission;
    }
    if (!*record) {
        call.error(fmt::format("userdb lookup: user {} doesn't exist", call.arguments()[0]));
        return kExitNoPermission;
    }
    print(fmt::format("userdb extra fields:\n  {}\n", (*record)->username));
    for (const auto& [key, value] : (*record)->fields)
        print(fmt::format("  {}{}{}\n", key, value.empty() ? "" : "=", value));
    return kExitOk;
}

}  // namespace

const CommandSpec kAuthLogin = {
    .words = "auth login",
    .synopsis =
        "[-a <auth-login socket path>] [-m <auth-master socket path>] [-x <auth info>] [-M <master user>] <user> "
        "[<password>]",
    .help = "Tries a login and the lookup of the user that follows it.",
    .options = {{'a', "auth-login socket path", "The login socket of the auth service"},
                {'m', "auth-master socket path", "The master socket of the auth service"},
                kAuthInfoOption,
                {'M', "master user", "Log in as this master user for the other one"}},
    .run = run,
};

}  // namespace culver::doveadm
