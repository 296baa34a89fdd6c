// STORE and UID STORE: change flags. RFC 3501 §6.4.6; UNCHANGEDSINCE and MODIFIED by RFC 7162 §3.1.3.
#include <fmt/format.h>

#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"
#include "lib-imap/sequence-set.h"

namespace culver {
namespace {

class Store : public Command {
public:
    explicit Store(Numbers numbers) : numbers_(numbers) {}

    void parse(Parser& in) override {
        in.space();
        set_ = in.sequence_set();
        if (in.next_is_list()) parse_modifiers(in);
        parse_item(in);
        const FlagList flags = in.flags();
        change_.system = flags.system;
        change_.keywords = flags.keywords;
    }

    Reply run(Session& session) override {
        const auto uids = session.messages_of(set_, numbers_);
        if (!uids) return Reply::invalid("Invalid messageset");
        if (change_.unchanged_since) session.enable_condstore();
        if (session.is_read_only()) return Reply::ok("Store ignored with read-only mailbox.");
        const StoreResult result = TRY_REPLY(session.mailbox().store(*uids, change_));
        if ((change_.system & kDeleted) && change_.operation != FlagOperation::Remove)
            session.stats().deleted += result.changed.size();
        session.announce_keywords();
        tell(session, result);
        session.view().mark_told(result.changed, result.modseq);
        if (result.modified.empty()) return Reply::ok("Store completed.");
        return Reply::ok("MODIFIED " + numbers_of(session, result.modified), "Conditional store failed.");
    }

private:
    void parse_modifiers(Parser& in) {
        in.open_list();
        while (in.more()) {
            if (in.keyword() != "UNCHANGEDSINCE") in.fail("Unknown STORE modifier");
            change_.unchanged_since = ModSeq{in.number64("Invalid modseq")};
        }
        in.close_list();
    }

    void parse_item(Parser& in) {
        std::string item = in.keyword();
        if (item.ends_with(".SILENT")) {
            silent_ = true;
            item.resize(item.size() - 7);
        }
        if (item == "FLAGS") change_.operation = FlagOperation::Replace;
        else if (item == "+FLAGS") change_.operation = FlagOperation::Add;
        else if (item == "-FLAGS") change_.operation = FlagOperation::Remove;
        else in.fail(Parser::kInvalid);
    }

    // Only what has really changed; with CONDSTORE even .SILENT tells the new modseq.
    void tell(Session& session, const StoreResult& result) const {
        if (silent_ && !session.has_condstore()) return;
        std::string& out = session.out();
        const auto to = std::back_inserter(out);
        session.view().visit(result.changed, [&](Seq seq, const MessageInfo& info) {
            fmt::format_to(to, "* {} FETCH (", seq.value);
            if (numbers_ == Numbers::Uids) fmt::format_to(to, "UID {} ", info.uid.value);
            if (session.has_condstore()) fmt::format_to(to, "MODSEQ ({}) ", info.modseq.value);
            if (silent_) {
                out.pop_back();
            } else {
                out.append("FLAGS ");
                session.append_flags(out, info);
            }
            out.append(")\r\n");
        });
        session.flush_if_large();
    }

    std::string numbers_of(Session& session, const std::vector<Uid>& uids) const {
        std::vector<std::uint32_t> numbers;
        for (Uid uid : uids) {
            if (numbers_ == Numbers::Uids) numbers.push_back(uid.value);
            else if (const auto seq = session.view().seq_of(uid)) numbers.push_back(seq->value);
        }
        return SequenceSet::of(numbers).to_string();
    }

    const Numbers numbers_;
    SequenceSet set_;
    StoreChange change_;
    bool silent_ = false;
};

class StoreBySeq final : public Store {
public:
    StoreBySeq() : Store(Numbers::Seqs) {}
};
class StoreByUid final : public Store {
public:
    StoreByUid() : Store(Numbers::Uids) {}
};

}  // namespace

const CommandSpec kStore = {"STORE", States::Selected, Effects::Syncs | Effects::UsesSeqs | Effects::HoldsExpunges,
                            make_command<StoreBySeq>};
const CommandSpec kUidStore = {"UID STORE", States::Selected, Effects::Syncs, make_command<StoreByUid>};

}  // namespace culver
