// doveadm stop: ends the server and waits until it has ended.
#include "doveadm/commands.h"
#include "lib-service/master-control.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    if (!call.arguments().empty()) return call.usage();
    Status status = stop_master(call.settings()->string("base_dir"));
    if (status) return kExitOk;
    call.fatal(status.error().detail);
    return kExitTemporary;
}

}  // namespace

const CommandSpec kStop = {
    .words = "stop",
    .synopsis = "",
    .help = "Ends the server.",
    .run = run,
};

}  // namespace culver::doveadm
