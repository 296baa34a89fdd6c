// CAPABILITY: what the server can do. RFC 3501 §6.1.1.
#include "imapd/capability.h"

#include "imapd/commands.h"
#include "imapd/session.h"

namespace culver {
namespace {

class Capability final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        session.untagged("CAPABILITY " + capability_text(session.settings()));
        return Reply::ok("Capability completed.");
    }
};

}  // namespace

const CommandSpec kCapability = {"CAPABILITY", States::Any, Effects::IgnoresArguments, make_command<Capability>};

}  // namespace culver
