// doveadm auth login: the whole login, password databases and user databases.
#include <unistd.h>

#include <fmt/format.h>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "doveadm/password-prompt.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    const auto& arguments = call.arguments();
    if (arguments.empty()) return call.usage();
    if (arguments.size() > 2) {
        call.error(fmt::format("Extraneous arguments found: {}", arguments[2]));
        return kExitUsage;
    }
    SecretString password = arguments.size() > 1 ? SecretString(arguments[1]) : ask_password("Password: ");
    auto attempt = log_in(call.socket_path(call.option('a').value_or("auth-login")), auth_start(call), arguments[0],
                          call.option('M').value_or(""), password);
    if (!attempt) {
        call.fatal(attempt.error().detail);
        return kExitTemporary;
    }
    const int code = print_verdict(arguments[0], attempt->reply);
    if (code != kExitOk) return code;
    if (attempt->reply.find("nologin")) return kExitOk;  // there is nothing to pick up
    AuthMasterClient master(call.socket_path(call.option('m').value_or("auth-master")));
    attempt->ticket.session_pid = static_cast<std::uint32_t>(::getpid());
    auto record = master.pick_up_login(attempt->ticket);
    if (!record) {
        call.error(fmt::format("userdb lookup failed: {}", record.error().detail));
        return kExitTemporary;
    }
    if (!*record) {
        call.error(fmt::format("userdb lookup: user {} doesn't exist", arguments[0]));
        return kExitNoUser;
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
