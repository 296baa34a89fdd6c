// CREATE: a new mailbox. RFC 3501 §6.3.3; its parameters (RFC 4466, USE of RFC 6154) are read and, as in Dovecot,
// change nothing: special uses come from the configuration.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class Create final : public Command {
public:
    void parse(Parser& in) override { mailbox_ = in.mailbox("Missing arguments"); }

    Reply run(Session& session) override {
        const MailboxName name = TRY_REPLY(MailboxName::parse(mailbox_));
        TRY_REPLY(session.user().create(name));
        return Reply::ok("Create completed.");
    }

private:
    std::string mailbox_;
};

}  // namespace

const CommandSpec kCreate = {"CREATE", States::Authenticated, Effects::None, make_command<Create>};

}  // namespace culver
