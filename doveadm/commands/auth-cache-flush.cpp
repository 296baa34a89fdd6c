// doveadm auth cache flush: authd forgets what it remembers of all users, or of some.
#include <fmt/format.h>

#include "doveadm/commands.h"
#include "lib-auth/auth-master-client.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    AuthMasterClient client(call.socket_path(call.option('a').value_or("auth-master")));
    auto count = client.flush_cache(call.arguments());
    if (!count) {
        call.fatal(count.error().detail);
        return kExitTemporary;
    }
    print(fmt::format("{} cache entries flushed\n", *count));
    return kExitOk;
}

}  // namespace

const CommandSpec kAuthCacheFlush = {
    .words = "auth cache flush",
    .synopsis = "[-a <master socket path>] [<user> [...]]",
    .help = "Empties the cache of the auth service.",
    .options = {{'a', "master socket path", "The master socket of the auth service"}},
    .run = run,
};

}  // namespace culver::doveadm
