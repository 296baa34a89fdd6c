// NOOP and CHECK: nothing but news. RFC 3501 §6.1.2, §6.4.1.
#include "imapd/commands.h"
#include "imapd/session.h"

namespace culver {
namespace {

class Noop final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session&) override { return Reply::ok("NOOP completed."); }
};

class Check final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        session.user().cache().flush();
        return Reply::ok("Check completed.");
    }
};

}  // namespace

const CommandSpec kNoop = {"NOOP", States::Any, Effects::Syncs | Effects::IgnoresArguments, make_command<Noop>};
const CommandSpec kCheck = {"CHECK", States::Selected, Effects::Syncs | Effects::IgnoresArguments, make_command<Check>};

}  // namespace culver
