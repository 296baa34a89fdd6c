// STATUS: numbers of a mailbox without opening it. RFC 3501 §6.3.10.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "imapd/status-items.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class StatusCommand final : public Command {
public:
    void parse(Parser& in) override {
        mailbox_ = in.mailbox("Missing arguments");
        if (in.ok() && !in.more()) in.fail("Missing arguments");
        items_.parse(in);
    }

    Reply run(Session& session) override {
        const MailboxName name = TRY_REPLY(MailboxName::parse(mailbox_));
        if (items_.wants_modseq()) session.enable_condstore();
        auto status = session.user().status(name);
        if (!status) return Reply::from(status.error(), "");
        items_.append_line(session.out(), name.utf8(), *status);
        if (session.selected() && session.selected()->name == name)
            return Reply::ok("CLIENTBUG", "Status on selected mailbox completed.");
        return Reply::ok("Status completed.");
    }

private:
    std::string mailbox_;
    StatusItems items_;
};

}  // namespace

const CommandSpec kStatus = {"STATUS", States::Authenticated, Effects::None, make_command<StatusCommand>};

}  // namespace culver
