// SearchQuery: what a SEARCH (or doveadm) asks for, as a tree of keys. Plain data; made by imapd's search parser.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace culver {

inline constexpr std::size_t kSearchDepth = 50;  // NOT, OR and parentheses within each other
inline constexpr std::size_t kSearchKeys = 1000;

struct SearchKey {
    enum class Kind : std::uint8_t {
        All,  // every message
        And,
        Or,  // of `children`; And of none is every message
        Seqs,
        Uids,     // `ranges`, settled ("*" resolved)
        Flags,    // all of `flags`
        Keyword,  // `text`
        Recent,
        Larger,
        Smaller,  // RFC822.SIZE against `number`
        InternalDate,
        SentDay,
        SaveDate,  // from `from` up to, not including, `to`: seconds, days as written, seconds
        ModSeq,    // at least `number`
        Header,    // field `name` contains `text` (or exists, if that is empty)
        Body,
        Text,  // contain `text`
        Guid,  // is `text`
    };
    Kind kind = Kind::All;
    bool negated = false;
    std::uint8_t flags = 0;  // SystemFlag bits
    std::uint64_t number = 0;
    std::int64_t from = INT64_MIN, to = INT64_MAX;
    std::string name, text;  // UTF-8
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    std::vector<SearchKey> children;
};

struct SearchQuery {
    SearchKey root;            // usually And
    bool asks_modseq = false;  // MODSEQ was among the keys: answers tell the highest one
};

}  // namespace culver
