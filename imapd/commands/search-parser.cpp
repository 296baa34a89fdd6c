#include "imapd/commands/search-parser.h"

#include <ctime>

#include "lib-base/text.h"
#include "lib-imap/parser.h"
#include "lib-mail/charset.h"
#include "lib-mail/local-zone.h"
#include "lib-storage/types.h"

namespace culver {

namespace {

using Kind = SearchKey::Kind;

SearchKey make(Kind kind, bool negated = false) {
    SearchKey key;
    key.kind = kind;
    key.negated = negated;
    return key;
}

SearchKey flag(std::uint8_t flags, bool negated) {
    SearchKey key = make(Kind::Flags, negated);
    key.flags = flags;
    return key;
}

SearchKey set_key(Kind kind, const SequenceSet& set) {
    SearchKey key = make(kind);
    for (const auto& range : set.ranges()) key.ranges.emplace_back(range.first, range.last);
    if (const auto star = set.star()) key.ranges.emplace_back(star->first, SequenceSet::kStar);
    return key;
}

class SearchParser {
public:
    explicit SearchParser(Parser& in) : in_(in) {}

    SearchArguments parse() {
        SearchArguments arguments;
        parse_return(arguments);
        if (in_.skip_atom("CHARSET")) parse_charset();
        if (!in_.more()) in_.fail("Missing search parameters");
        arguments.query.root = keys(1);
        arguments.query.asks_modseq = asks_modseq_;
        in_.end();
        return arguments;
    }

private:
    void parse_return(SearchArguments& arguments) {
        if (!equals_ignore_case(in_.peek_atom(), "RETURN")) return;
        in_.atom();
        if (!in_.next_is_list()) return in_.fail("Unknown argument RETURN");
        arguments.extended = true;
        in_.open_list();
        while (in_.more()) {
            const std::string option = in_.keyword("Unknown SEARCH return option");
            if (option == "MIN") arguments.min = true;
            else if (option == "MAX") arguments.max = true;
            else if (option == "ALL") arguments.all = true;
            else if (option == "COUNT") arguments.count = true;
            else in_.fail("Unknown SEARCH return option");
        }
        in_.close_list();
        if (!arguments.min && !arguments.max && !arguments.count) arguments.all = true;
    }

    void parse_charset() {
        charset_ = in_.astring("Invalid charset argument");
        if (in_.ok() && !is_known_charset(charset_)) in_.fail({ParseError::Kind::No, "BADCHARSET", "Unknown charset"});
    }

    // All keys up to the end of this level.
    SearchKey keys(std::size_t depth) {
        SearchKey all = make(Kind::And);
        while (in_.more()) all.children.push_back(key(depth));
        if (all.children.size() == 1) return std::move(all.children[0]);
        return all;
    }

    // kSearchDepth bounds the recursion.
    SearchKey key(std::size_t depth) {
        if (depth > kSearchDepth || ++count_ > kSearchKeys) in_.fail("Too many search keys");
        if (!in_.more()) in_.fail("Missing argument");
        if (!in_.ok()) return {};
        if (in_.next_is_list()) {
            in_.open_list();
            if (!in_.more()) in_.fail("No search parameters inside list");
            SearchKey inside = keys(depth + 1);
            in_.close_list();
            return inside;
        }
        if (in_.peek() != Parser::Token::Atom) {
            in_.fail("Unexpected string as search key: " + in_.astring());
            return {};
        }
        const std::string_view word = in_.peek_atom();
        if ((word[0] >= '0' && word[0] <= '9') || word[0] == '*') return set_key(Kind::Seqs, in_.sequence_set());
        name_ = in_.keyword();
        return named_key(depth);
    }

    SearchKey named_key(std::size_t depth) {
        if (name_ == "NOT") {
            SearchKey key = make(Kind::And, true);
            key.children.push_back(this->key(depth + 1));
            return key;
        }
        if (name_ == "OR") {
            SearchKey key = make(Kind::Or);
            key.children.push_back(this->key(depth + 1));
            key.children.push_back(this->key(depth + 1));
            return key;
        }
        if (name_ == "FUZZY") return key(depth + 1);
        SearchKey key;
        if (flag_key(key) || text_key(key) || date_key(key) || other_key(key)) return key;
        in_.fail("Unknown argument " + name_);
        return {};
    }

    bool flag_key(SearchKey& key) {
        static constexpr std::pair<std::string_view, std::uint8_t> kFlags[] = {
            {"ANSWERED", kAnswered}, {"DELETED", kDeleted}, {"DRAFT", kDraft}, {"FLAGGED", kFlagged}, {"SEEN", kSeen}};
        for (const auto& [name, bit] : kFlags) {
            const bool negated = name_.starts_with("UN") && std::string_view(name_).substr(2) == name;
            if (name_ != name && !negated) continue;
            key = flag(bit, negated);
            return true;
        }
        if (name_ == "ALL") key = make(Kind::All);
        else if (name_ == "RECENT") key = make(Kind::Recent);
        else if (name_ == "OLD") key = make(Kind::Recent, true);
        else if (name_ == "NEW") {
            key = make(Kind::And);
            key.children.push_back(make(Kind::Recent));
            key.children.push_back(flag(kSeen, true));
        } else if (name_ == "KEYWORD" || name_ == "UNKEYWORD") {
            key = make(Kind::Keyword, name_ == "UNKEYWORD");
            key.text = parameter();
        } else {
            return false;
        }
        return true;
    }

    bool text_key(SearchKey& key) {
        if (name_ == "SUBJECT" || name_ == "FROM" || name_ == "TO" || name_ == "CC" || name_ == "BCC") {
            key = make(Kind::Header);
            key.name = name_;
        } else if (name_ == "HEADER") {
            key = make(Kind::Header);
            key.name = parameter();
        } else if (name_ == "BODY" || name_ == "TEXT") {
            key = make(name_ == "BODY" ? Kind::Body : Kind::Text);
        } else {
            return false;
        }
        key.text = text();
        return true;
    }

    bool date_key(SearchKey& key) {
        std::string_view name = name_;
        Kind kind = Kind::InternalDate;
        if (name.starts_with("SENT")) {
            kind = Kind::SentDay;
            name.remove_prefix(4);
        } else if (name.starts_with("SAVED")) {
            kind = Kind::SaveDate;
            name.remove_prefix(5);
        }
        if (name != "SINCE" && name != "BEFORE" && name != "ON") return false;
        key = make(kind);
        check_parameter();
        const std::int64_t day = in_.date("Invalid search date parameter").days();
        // The zone is asked once for a key and not for each message.
        const auto begin_of = [&](std::int64_t d) { return kind == Kind::SentDay ? d : local_midnight(d); };
        if (name != "BEFORE") key.from = begin_of(day);
        if (name == "BEFORE") key.to = begin_of(day);
        if (name == "ON") key.to = begin_of(day + 1);
        return true;
    }

    bool other_key(SearchKey& key) {
        if (name_ == "UID") {
            check_parameter();
            auto set = SequenceSet::parse(in_.atom());
            if (!set) in_.fail("Invalid UID messageset");
            if (set) key = set_key(Kind::Uids, *set);
        } else if (name_ == "LARGER" || name_ == "SMALLER") {
            key = make(name_ == "LARGER" ? Kind::Larger : Kind::Smaller);
            check_parameter();
            key.number = in_.number64("Invalid search size parameter");
        } else if (name_ == "OLDER" || name_ == "YOUNGER") {
            key = make(Kind::InternalDate);
            check_parameter();
            const std::int64_t now = std::time(nullptr);
            const std::int64_t limit = now - in_.nz_number("Invalid search interval parameter");
            if (name_ == "OLDER") key.to = limit + 1;
            else key.from = limit;
        } else if (name_ == "MODSEQ") {
            key = make(Kind::ModSeq);
            check_parameter();
            if (in_.peek() == Parser::Token::Quoted) {
                // "/flags/\\Seen" all: modseqs are kept per message, so the metadata item changes nothing.
                in_.string();
                in_.keyword("Invalid MODSEQ value");
            }
            key.number = in_.number64("Invalid MODSEQ value");
            asks_modseq_ = true;
        } else if (name_ == "X-GUID") {
            key = make(Kind::Guid);
            key.text = parameter();
        } else {
            return false;
        }
        return true;
    }

    void check_parameter() {
        if (in_.ok() && !in_.more()) in_.fail("Missing parameter for search key (for search key: " + name_ + ")");
        if (in_.next_is_list()) in_.fail("Unexpected ( (for search key: " + name_ + ")");
    }

    std::string parameter() {
        check_parameter();
        return in_.astring();
    }

    // A text to look for, in the charset of the command, as UTF-8.
    std::string text() {
        const std::string bytes = parameter();
        std::string utf8 = to_utf8(charset_, bytes).value_or(bytes);
        const bool is_utf8 =
            charset_.empty() || equals_ignore_case(charset_, "utf-8") || equals_ignore_case(charset_, "us-ascii");
        if (is_utf8 && !is_valid_utf8(bytes)) in_.fail("Invalid search key");
        return utf8;
    }

    Parser& in_;
    std::string charset_;
    std::string name_;
    std::size_t count_ = 0;
    bool asks_modseq_ = false;
};

}  // namespace

SearchArguments parse_search(Parser& in) { return SearchParser(in).parse(); }

void resolve_sets(SearchKey& key, std::uint32_t last_seq, std::uint32_t last_uid) {
    for (SearchKey& child : key.children) resolve_sets(child, last_seq, last_uid);
    if ((key.kind != Kind::Seqs && key.kind != Kind::Uids) || key.ranges.empty()) return;
    auto& last = key.ranges.back();
    if (last.second != SequenceSet::kStar) return;
    const std::uint32_t largest = key.kind == Kind::Seqs ? last_seq : last_uid;
    const std::uint32_t first = last.first == SequenceSet::kStar ? largest : last.first;
    const std::pair<std::uint32_t, std::uint32_t> range{std::min(first, largest), std::max(first, largest)};
    key.ranges.pop_back();
    SequenceSet merged;
    for (const auto& [from, to] : key.ranges) merged.add({from, to});
    if (largest > 0) merged.add({range.first, range.second});
    key.ranges.clear();
    for (const auto& r : merged.ranges()) key.ranges.emplace_back(r.first, r.last);
}

}  // namespace culver
