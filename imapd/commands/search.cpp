// SEARCH and UID SEARCH. RFC 9051 §6.4.4, with ESEARCH (RFC 4731), WITHIN (RFC 5032) and MODSEQ (RFC 7162 §3.1.5).
#include "lib-storage/search/search.h"

#include "imapd/commands.h"
#include "imapd/commands/search-parser.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"
#include "lib-imap/sequence-set.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

class Search : public Command {
public:
    explicit Search(Numbers numbers) : numbers_(numbers) {}

    void parse(Parser& in) override { arguments_ = parse_search(in); }

    Reply run(Session& session) override {
        MailboxView& view = session.view();
        if (arguments_.query.asks_modseq) session.enable_condstore();
        const std::uint32_t exists = view.exists();
        resolve_sets(arguments_.query.root, exists, exists > 0 ? view.uid_at(Seq{exists}).value : 0);
        const SearchResult result = TRY_REPLY(run_search(view, arguments_.query, [&] { return session.is_gone(); }));
        std::vector<std::uint32_t> numbers;
        numbers.reserve(result.messages.size());
        for (const auto& [seq, uid] : result.messages)
            numbers.push_back(numbers_ == Numbers::Uids ? uid.value : seq.value);
        if (arguments_.extended) tell_extended(session, numbers, result);
        else tell(session, numbers, result);
        session.flush_if_large();
        return Reply::ok("Search completed.");
    }

private:
    void tell(Session& session, const std::vector<std::uint32_t>& numbers, const SearchResult& result) const {
        std::string& out = session.out();
        out.append("* SEARCH");
        for (const std::uint32_t number : numbers) {
            out += ' ';
            append_number(out, number);
        }
        if (arguments_.query.asks_modseq && !numbers.empty()) {
            out.append(" (MODSEQ ");
            append_number(out, result.highest_modseq.value);
            out += ')';
        }
        out.append("\r\n");
    }

    // RFC 4731 §3.1: what was asked for, and of what was found only.
    void tell_extended(Session& session, const std::vector<std::uint32_t>& numbers, const SearchResult& result) const {
        std::string& out = session.out();
        out.append("* ESEARCH (TAG ");
        append_quoted(out, session.tag());
        out += ')';
        if (numbers_ == Numbers::Uids) out.append(" UID");
        const auto add = [&](std::string_view name, std::uint64_t number) {
            out.append(name);
            append_number(out, number);
        };
        if (!numbers.empty()) {
            if (arguments_.min) add(" MIN ", numbers.front());
            if (arguments_.max) add(" MAX ", numbers.back());
            if (arguments_.all) {
                out.append(" ALL ");
                SequenceSet::of(numbers).append_to(out);
            }
        }
        if (arguments_.count) add(" COUNT ", numbers.size());
        if (arguments_.query.asks_modseq && !numbers.empty()) add(" MODSEQ ", result.highest_modseq.value);
        out.append("\r\n");
    }

    const Numbers numbers_;
    SearchArguments arguments_;
};

class SearchBySeq final : public Search {
public:
    SearchBySeq() : Search(Numbers::Seqs) {}
};
class SearchByUid final : public Search {
public:
    SearchByUid() : Search(Numbers::Uids) {}
};

}  // namespace

const CommandSpec kSearch = {"SEARCH", States::Selected, Effects::Syncs | Effects::UsesSeqs | Effects::HoldsExpunges,
                             make_command<SearchBySeq>};
const CommandSpec kUidSearch = {"UID SEARCH", States::Selected, Effects::Syncs, make_command<SearchByUid>};

}  // namespace culver
