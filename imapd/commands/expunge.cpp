// EXPUNGE and UID EXPUNGE: messages with \Deleted go. RFC 3501 §6.4.3, RFC 4315 §2.1.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"
#include "lib-imap/sequence-set.h"

namespace culver {
namespace {

// The EXPUNGE lines come from the session's sync.
Reply expunge(Session& session, std::optional<std::span<const Uid>> only) {
    if (session.is_read_only()) return Reply::ok("Expunge completed.");
    const ExpungeResult result = TRY_REPLY(session.mailbox().expunge(only));
    session.stats().expunged += result.expunged.size();
    return Reply::ok("Expunge completed.");
}

class Expunge final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override { return expunge(session, std::nullopt); }
};

class UidExpunge final : public Command {
public:
    void parse(Parser& in) override {
        in.space("Missing arguments");
        set_ = in.uid_set();
    }
    Reply run(Session& session) override {
        const auto uids = session.messages_of(set_, Numbers::Uids);
        return expunge(session, std::span<const Uid>(*uids));
    }

private:
    SequenceSet set_;
};

}  // namespace

const CommandSpec kExpunge = {"EXPUNGE", States::Selected, Effects::Syncs | Effects::IgnoresArguments,
                              make_command<Expunge>};
const CommandSpec kUidExpunge = {"UID EXPUNGE", States::Selected, Effects::Syncs, make_command<UidExpunge>};

}  // namespace culver
