// LOGOUT. RFC 3501 §6.1.3.
#include "imapd/commands.h"
#include "imapd/session.h"

namespace culver {
namespace {

class Logout final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        session.untagged("BYE Logging out");
        session.end();
        return Reply::ok("Logout completed.");
    }
};

}  // namespace

const CommandSpec kLogout = {"LOGOUT", States::Any, Effects::IgnoresArguments, make_command<Logout>};

}  // namespace culver
