// doveadm reload: the server reads its configuration again; connections stay.
#include "doveadm/commands.h"
#include "lib-service/master-control.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    if (!call.arguments().empty()) return call.usage();
    Status status = reload_master(call.settings()->string("base_dir"));
    if (status) return kExitOk;
    call.fatal(status.error().detail);
    return kExitTemporary;
}

}  // namespace

const CommandSpec kReload = {
    .words = "reload",
    .synopsis = "",
    .help = "Makes the server read its configuration and certificates again; connections stay.",
    .run = run,
};

}  // namespace culver::doveadm
