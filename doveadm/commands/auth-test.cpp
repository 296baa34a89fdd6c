// doveadm auth test: does this password let this user in?
#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    int code = kExitOk;
    attempt_login(call, "auth-client", code);
    return code;
}

}  // namespace

const CommandSpec kAuthTest = {
    .words = "auth test",
    .synopsis = "[-a <auth socket path>] [-x <auth info>] [-M <master user>] <user> [<password>]",
    .help = "Tries a login against the password databases.",
    .options = {{'a', "auth socket path", "The client socket of the auth service"},
                kAuthInfoOption,
                {'M', "master user", "Log in as this master user for the other one"}},
    .run = run,
};

}  // namespace culver::doveadm
