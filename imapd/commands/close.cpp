// CLOSE and UNSELECT: leave the mailbox, with or without expunging. RFC 3501 §6.4.2, RFC 3691.
#include "imapd/commands.h"
#include "imapd/session.h"

namespace culver {
namespace {

class Close final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        if (!session.is_read_only()) {
            auto expunged = session.mailbox().expunge(std::nullopt);
            // The mailbox is closed whatever happens; what could not be removed is still marked.
            if (expunged) session.stats().expunged += expunged->expunged.size();
            else if (expunged.error().code != ErrorCode::NotFound) {
                session.unselect();
                return Reply::from(expunged.error());
            }
        }
        session.unselect();
        return Reply::ok("Close completed.");
    }
};

class Unselect final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        session.unselect();
        return Reply::ok("Unselect completed.");
    }
};

}  // namespace

const CommandSpec kClose = {"CLOSE", States::Selected, Effects::IgnoresArguments, make_command<Close>};
const CommandSpec kUnselect = {"UNSELECT", States::Selected, Effects::IgnoresArguments, make_command<Unselect>};

}  // namespace culver
