// DELETE: a mailbox and its messages go; the mailboxes below it stay. RFC 3501 §6.3.4.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class Delete final : public Command {
public:
    void parse(Parser& in) override { mailbox_ = in.mailbox("Missing arguments"); }

    Reply run(Session& session) override {
        const MailboxName name = TRY_REPLY(MailboxName::parse(mailbox_));
        TRY_REPLY(session.user().remove(name));
        // Dovecot throws the client out who deletes the mailbox it has open; to say that it is closed is enough.
        if (session.selected() && session.selected()->name == name) {
            session.unselect();
            session.untagged("OK [CLOSED] Previous mailbox closed.");
        }
        return Reply::ok("Delete completed.");
    }

private:
    std::string mailbox_;
};

}  // namespace

const CommandSpec kDelete = {"DELETE", States::Authenticated, Effects::None, make_command<Delete>};

}  // namespace culver
