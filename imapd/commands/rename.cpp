// RENAME: give a mailbox, and every mailbox below it, a new name. RFC 3501 §6.3.5.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class Rename final : public Command {
public:
    void parse(Parser& in) override {
        from_ = in.mailbox("Missing arguments");
        to_ = in.mailbox("Missing arguments");
    }

    Reply run(Session& session) override {
        const MailboxName from = TRY_REPLY(MailboxName::parse(from_));
        const MailboxName to = TRY_REPLY(MailboxName::parse(to_));
        if (to.is_below(from, session.user().separator_for(from)))
            return Reply::no("Can't rename mailbox under its own child");
        TRY_REPLY(session.user().rename(from, to));
        return Reply::ok("Rename completed.");
    }

private:
    std::string from_, to_;
};

}  // namespace

const CommandSpec kRename = {"RENAME", States::Authenticated, Effects::None, make_command<Rename>};

}  // namespace culver
