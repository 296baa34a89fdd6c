#include "lib-storage/search/search.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "lib-base/text.h"
#include "lib-mail/date-header.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/message-text.h"
#include "lib-storage/search/message-source.h"

namespace culver {

namespace {

using Kind = SearchKey::Kind;

// What is known so far.
enum class Answer { No, Yes, Open };
// What may be looked at.
enum class Effort { Index, Header, Message };

// One key with what is prepared once per search.
struct Node {
    const SearchKey* key;
    std::vector<Node> children;
    std::optional<TextSearch> needle;
    std::optional<std::size_t> keyword_bit;  // nothing: no message has it
};

// kSearchDepth bounds the recursion here and below.
Node prepare(const SearchKey& key, const std::vector<std::string>& keywords) {
    Node node{&key, {}, std::nullopt, std::nullopt};
    if (key.kind == Kind::Header || key.kind == Kind::Body || key.kind == Kind::Text) node.needle.emplace(key.text);
    if (key.kind == Kind::Keyword)
        for (std::size_t bit = 0; bit < keywords.size(); ++bit)
            if (equals_ignore_case(keywords[bit], key.text)) node.keyword_bit = bit;
    for (const SearchKey& child : key.children) node.children.push_back(prepare(child, keywords));
    return node;
}

Answer answer(bool yes) { return yes ? Answer::Yes : Answer::No; }

bool in_ranges(const SearchKey& key, std::uint32_t number) {
    const auto after = std::upper_bound(key.ranges.begin(), key.ranges.end(), number,
                                        [](std::uint32_t value, const auto& range) { return value < range.first; });
    return after != key.ranges.begin() && std::prev(after)->second >= number;
}

class Candidate {
public:
    Candidate(MailboxView& view, Seq seq, const MessageInfo& info)
        : view_(view), seq_(seq), info_(info), source_(view.mailbox(), info.uid) {}

    Answer evaluate(const Node& node, Effort effort) {
        const Answer plain = evaluate_plain(node, effort);
        if (plain == Answer::Open || !node.key->negated) return plain;
        return answer(plain == Answer::No);
    }

private:
    Answer evaluate_plain(const Node& node, Effort effort) {
        const SearchKey& key = *node.key;
        switch (key.kind) {
            case Kind::All: return Answer::Yes;
            case Kind::And: return evaluate_children(node, effort, Answer::No);
            case Kind::Or: return evaluate_children(node, effort, Answer::Yes);
            case Kind::Seqs: return answer(in_ranges(key, seq_.value));
            case Kind::Uids: return answer(in_ranges(key, info_.uid.value));
            case Kind::Flags: return answer((info_.flags.system & key.flags) == key.flags);
            case Kind::Keyword: return answer(node.keyword_bit && info_.flags.keywords.test(*node.keyword_bit));
            case Kind::Recent: return answer(view_.is_recent(info_.uid));
            case Kind::Larger: return size(effort, [&](std::uint64_t size) { return size > key.number; });
            case Kind::Smaller: return size(effort, [&](std::uint64_t size) { return size < key.number; });
            case Kind::InternalDate: return answer(info_.internal_date >= key.from && info_.internal_date < key.to);
            case Kind::SaveDate: return answer(info_.save_date >= key.from && info_.save_date < key.to);
            case Kind::ModSeq: return answer(info_.modseq.value >= key.number);
            default: break;
        }
        if (effort == Effort::Index) return Answer::Open;
        switch (key.kind) {
            case Kind::SentDay: return sent_day(key);
            case Kind::Header: return header(node, effort);
            case Kind::Guid: {
                const auto guid = view_.mailbox().message_guid(info_.uid);
                return answer(guid && *guid == key.text);
            }
            default: break;
        }
        return effort == Effort::Message ? text(node) : Answer::Open;
    }

    // `decisive` is the answer of a child that settles the matter.
    Answer evaluate_children(const Node& node, Effort effort, Answer decisive) {
        bool open = false;
        for (const Node& child : node.children) {
            const Answer one = evaluate(child, effort);
            if (one == decisive) return decisive;
            open = open || one == Answer::Open;
        }
        if (open) return Answer::Open;
        return decisive == Answer::No ? Answer::Yes : Answer::No;
    }

    template <class Test>
    Answer size(Effort effort, Test test) {
        if (info_.virtual_size == 0) {
            if (effort == Effort::Index) return Answer::Open;
            const auto size = view_.mailbox().virtual_size(info_.uid);
            if (!size) return Answer::No;
            info_.virtual_size = *size;
        }
        return answer(test(info_.virtual_size));
    }

    // A message without a date, or with one that cannot be read, counts as sent on day 0.
    Answer sent_day(const SearchKey& key) {
        std::string value;
        std::int64_t day = 0;
        const auto fields = source_.common_fields();
        if (!fields) return Answer::No;
        if (find_header(*fields, "Date", value))
            if (const auto date = parse_date_header(value)) day = date->written_day();
        return answer(day >= key.from && day < key.to);
    }

    Answer header(const Node& node, Effort effort) {
        const bool common = MessageSource::is_cached_field(node.key->name);
        if (!common && effort != Effort::Message) return Answer::Open;
        const auto fields = common ? source_.common_fields() : source_.header();
        if (!fields) return Answer::No;
        HeaderReader reader(*fields);
        HeaderField field;
        while (reader.next(field)) {
            if (field.name.empty() || !field.is(node.key->name)) continue;
            if (node.key->text.empty() || node.needle->in_value(field.value())) return Answer::Yes;
        }
        return Answer::No;
    }

    Answer text(const Node& node) {
        const auto bytes = source_.bytes();
        const auto structure = source_.structure();
        if (!bytes || !structure) return Answer::No;
        const auto scope = node.key->kind == Kind::Text ? TextSearch::Scope::HeadersAndBody : TextSearch::Scope::Body;
        return answer(node.needle->in_message(*bytes, **structure, scope));
    }

    MailboxView& view_;
    Seq seq_;
    MessageInfo info_;
    MessageSource source_;
};

}  // namespace

Result<SearchResult> run_search(MailboxView& view, const SearchQuery& query, const std::function<bool()>& stop) {
    const Node root = prepare(query.root, view.mailbox().keywords());
    SearchResult result;
    std::vector<std::pair<Seq, MessageInfo>> open;
    const auto found = [&](Seq seq, const MessageInfo& info) {
        result.messages.emplace_back(seq, info.uid);
        result.highest_modseq = std::max(result.highest_modseq, info.modseq);
    };
    // One pass over the arrays; what they cannot answer waits until the lock is gone.
    view.visit_all([&](Seq seq, const MessageInfo& info) {
        const Answer first = Candidate(view, seq, info).evaluate(root, Effort::Index);
        if (first == Answer::Yes) found(seq, info);
        if (first == Answer::Open) open.emplace_back(seq, info);
    });
    if (open.empty()) return result;
    std::size_t looked_at = 0;
    for (const auto& [seq, info] : open) {
        if (++looked_at % 64 == 0 && stop()) break;
        Candidate candidate(view, seq, info);
        Answer last = candidate.evaluate(root, Effort::Header);
        if (last == Answer::Open) last = candidate.evaluate(root, Effort::Message);
        if (last == Answer::Yes) found(seq, info);
    }
    std::sort(result.messages.begin(), result.messages.end());
    return result;
}

}  // namespace culver
