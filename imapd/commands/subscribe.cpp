// SUBSCRIBE and UNSUBSCRIBE. RFC 3501 §6.3.6, §6.3.7.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class SubscribeOrNot : public Command {
public:
    explicit SubscribeOrNot(bool subscribed) : subscribed_(subscribed) {}
    void parse(Parser& in) override { mailbox_ = in.mailbox("Missing arguments"); }

    Reply run(Session& session) override {
        // Not a bad name: it does not exist, as no mailbox of that name can.
        if (mailbox_.empty() && subscribed_) return Reply::no("Mailbox doesn't exist: ");
        const MailboxName name = TRY_REPLY(MailboxName::parse(mailbox_));
        if (auto done = session.user().subscribe(name, subscribed_); !done) return Reply::from(done.error(), "");
        return Reply::ok(subscribed_ ? "Subscribe completed." : "Unsubscribe completed.");
    }

private:
    const bool subscribed_;
    std::string mailbox_;
};

class Subscribe final : public SubscribeOrNot {
public:
    Subscribe() : SubscribeOrNot(true) {}
};
class Unsubscribe final : public SubscribeOrNot {
public:
    Unsubscribe() : SubscribeOrNot(false) {}
};

}  // namespace

const CommandSpec kSubscribe = {"SUBSCRIBE", States::Authenticated, Effects::None, make_command<Subscribe>};
const CommandSpec kUnsubscribe = {"UNSUBSCRIBE", States::Authenticated, Effects::None, make_command<Unsubscribe>};

}  // namespace culver
