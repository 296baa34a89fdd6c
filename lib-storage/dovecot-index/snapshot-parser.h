// The two file formats, into one model of the mailbox. Private to dovecot-index.
#pragma once

#include <bitset>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lib-base/result.h"

namespace culver::dovecot_index {

inline constexpr std::size_t kKeywordLimit = 256;  // more are ignored
using KeywordBits = std::bitset<kKeywordLimit>;

struct Message {
    std::uint32_t uid = 0;
    KeywordBits keywords;
};

// The mailbox as far as the files have been read.
struct Model {
    std::uint32_t uid_validity = 0, next_uid = 0;
    std::uint64_t highest_modseq = 0;
    std::vector<std::string> keywords;
    std::vector<Message> messages;  // ascending by uid
    // Where the log goes on behind the snapshot.
    std::uint32_t log_sequence = 0, log_offset = 0;

    // The position of a keyword, added if need be; nothing when there are too many.
    std::optional<std::size_t> keyword(std::string_view name);
};

// A number in little-endian order, nothing if it lies outside.
template <typename Number>
std::optional<Number> number_at(std::string_view bytes, std::size_t at) {
    static_assert(std::is_unsigned_v<Number>);
    if (at > bytes.size() || bytes.size() - at < sizeof(Number)) return std::nullopt;
    Number value = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;)
        value = static_cast<Number>((value << 8) | static_cast<unsigned char>(bytes[at + i]));
    return value;
}
// The same, 0 if it lies outside; for fields of a record whose size was checked.
template <typename Number>
Number field_at(std::string_view bytes, std::size_t at) {
    return number_at<Number>(bytes, at).value_or(0);
}

// dovecot.index
Status parse_snapshot(std::string_view bytes, Model& model);

// The sequence number of a log; nothing if it is no log.
std::optional<std::uint32_t> log_sequence(std::string_view bytes);
// Applies the transactions from `offset` on (0 = the first). Stops at the first that is not complete.
Status apply_log(std::string_view bytes, std::size_t offset, Model& model);

}  // namespace culver::dovecot_index
