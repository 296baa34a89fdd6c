// doveadm auth test: does this password let this user in?
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
    auto attempt = log_in(call.socket_path(call.option('a').value_or("auth-client")), auth_start(call), arguments[0],
                          call.option('M').value_or(""), password);
    if (!attempt) {
        call.fatal(attempt.error().detail);
        return kExitTemporary;
    }
    return print_verdict(arguments[0], attempt->reply);
}

}  // namespace

const CommandSpec kAuthTest = {
    .words = "auth test",
    .synopsis = "[-a <auth socket path>] [-x <auth info>] [-M <master user>] <user> [<password>]",
    .help = "Tries a login against the password databases.",
    .options = {{'a', "auth socket path", "The client socket of the auth service"}, kAuthInfoOption,
                {'M', "master user", "Log in as this master user for the other one"}},
    .run = run,
};

}  // namespace culver::doveadm
