// doveadm auth lookup: what the password databases say of a user, without a login.
#include <fmt/format.h>

#include <utility>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    if (call.arguments().empty()) return call.usage();
    if (const int bad = check_auth_info(call); bad != kExitOk) return bad;
    AuthMasterClient client(call.socket_path(call.option('a').value_or("auth-userdb")));
    const auto field = call.option('f');
    int code = kExitOk;
    bool is_first = true;
    for (const std::string& user : call.arguments()) {
        if (!std::exchange(is_first, false)) print("\n");
        auto record = client.lookup_passdb(user_lookup(call, user));
        if (!record) {
            call.error(fmt::format("passdb lookup failed for {}: {}", user, record.error().detail));
            code = kExitTemporary;
        } else if (!*record) {
            print(fmt::format("passdb lookup: user {} doesn't exist\n", user));
            if (code == kExitOk) code = kExitNoUser;
        } else if (field) {
            if (const std::string* value = (*record)->find(*field)) print(*value + "\n");
        } else {
            print_record("passdb", user, **record);
        }
    }
    return code;
}

}  // namespace

const CommandSpec kAuthLookup = {
    .words = "auth lookup",
    .synopsis = "[-a <userdb socket path>] [-x <auth info>] [-f field] <user> [<user> [...]]",
    .help = "Looks users up in the password databases.",
    .options = {{'a', "userdb socket path", "The userdb socket of the auth service"},
                kAuthInfoOption,
                {'f', "field", "Print only this field's value"}},
    .run = run,
};

}  // namespace culver::doveadm
