// COPY and MOVE, and their UID forms. RFC 3501 §6.4.7, RFC 6851, COPYUID by RFC 4315.
#include <fmt/format.h>

#include "imapd/commands.h"
#include "imapd/mailbox-argument.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"
#include "lib-imap/sequence-set.h"

namespace culver {
namespace {

std::string set_of(const std::vector<Uid>& uids) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(uids.size());
    for (Uid uid : uids) numbers.push_back(uid.value);
    return SequenceSet::of(numbers).to_string();
}

std::string copy_uid(const CopyResult& result) {
    return fmt::format("COPYUID {} {} {}", result.uid_validity, set_of(result.source), set_of(result.copied));
}

class CopyOrMove : public Command {
public:
    explicit CopyOrMove(Numbers numbers) : numbers_(numbers) {}

    void parse(Parser& in) override {
        in.space("Missing arguments");
        const bool is_atom = in.peek() == Parser::Token::Atom;
        set_ = in.sequence_set();
        if (is_atom && in.ok() && !in.more()) in.fail("Missing arguments");
        mailbox_ = in.mailbox("Missing arguments");
    }

    Reply run(Session& session) override {
        const auto uids = session.messages_of(set_, numbers_);
        if (!uids) return Reply::invalid("Invalid messageset");
        if (uids->empty()) return Reply::ok("No messages found.");
        auto destination = open_destination(session, mailbox_);
        if (!destination) return std::move(destination.error());
        return transfer(session, **destination, *uids);
    }

protected:
    virtual Reply transfer(Session& session, Mailbox& destination, const std::vector<Uid>& uids) = 0;
    static Reply gone() { return Reply::no("EXPUNGEISSUED", "Some of the requested messages no longer exist."); }
    void count_trashed(Session& session, const CopyResult& result) const {
        if (is_trash(session.settings(), mailbox_)) session.stats().trashed += result.copied.size();
    }

private:
    const Numbers numbers_;
    SequenceSet set_;
    std::string mailbox_;
};

template <Numbers kNumbers>
class Copy final : public CopyOrMove {
public:
    Copy() : CopyOrMove(kNumbers) {}

private:
    Reply transfer(Session& session, Mailbox& destination, const std::vector<Uid>& uids) override {
        const CopyResult result = TRY_REPLY(session.mailbox().copy_to(destination, uids));
        if (result.copied.empty()) return gone();
        count_trashed(session, result);
        return Reply::ok(copy_uid(result), "Copy completed.");
    }
};

template <Numbers kNumbers>
class Move final : public CopyOrMove {
public:
    Move() : CopyOrMove(kNumbers) {}

private:
    // COPYUID comes before the EXPUNGE lines, which the session's sync sends (RFC 6851 §4.3).
    Reply transfer(Session& session, Mailbox& destination, const std::vector<Uid>& uids) override {
        if (session.is_read_only()) return Reply::no("READ-ONLY", "Mailbox is read-only");
        ExpungeResult expunged;
        const CopyResult result = TRY_REPLY(session.mailbox().move_to(destination, uids, &expunged));
        if (result.copied.empty()) return gone();
        count_trashed(session, result);
        session.stats().expunged += expunged.expunged.size();
        session.untagged("OK [" + copy_uid(result) + "] Moved UIDs.");
        return Reply::ok("Move completed.");
    }
};

}  // namespace

const CommandSpec kCopy = {"COPY", States::Selected, Effects::Syncs | Effects::UsesSeqs,
                           make_command<Copy<Numbers::Seqs>>};
const CommandSpec kUidCopy = {"UID COPY", States::Selected, Effects::Syncs, make_command<Copy<Numbers::Uids>>};
const CommandSpec kMove = {"MOVE", States::Selected, Effects::Syncs | Effects::UsesSeqs,
                           make_command<Move<Numbers::Seqs>>};
const CommandSpec kUidMove = {"UID MOVE", States::Selected, Effects::Syncs, make_command<Move<Numbers::Uids>>};

}  // namespace culver
