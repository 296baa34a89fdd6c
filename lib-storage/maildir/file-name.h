// Names of message files in a Maildir: "<base>:2,<flags>" (docs/maildir.md). Pure.
//
// The base name (everything before the first colon) is the message's identity; the flags are ASCII letters: D F R S T
// for the system flags, a-z for the first 26 keywords of the mailbox.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib-storage/types.h"

namespace culver {

// What file names can hold: the system flags as in SystemFlag (5 bits), then one bit for each keyword letter a-z.
using FileFlags = std::uint32_t;
inline constexpr unsigned kFileKeywords = 26;
inline constexpr FileFlags file_keyword_bit(unsigned index) { return 1U << (5 + index); }

struct ParsedFileName {
    std::string_view base;  // identity; never empty
    std::string_view info;  // from the colon on, empty if there is none
    FileFlags flags = 0;
    bool canonical = true;  // the info is exactly what format_info(flags) writes (or there is none)
};

// Nothing for names that are no message: empty, beginning with a dot, without base, longer than 255 bytes.
std::optional<ParsedFileName> parse_file_name(std::string_view name);

// ":2," and the letters in ASCII order. Letters and a tail that Culver does not know are kept from `odd_info`.
std::string format_info(FileFlags flags, std::string_view odd_info = {});

// The S= (bytes on disk) and W= (bytes with CRLF) fields of a base name.
std::optional<std::uint64_t> size_in_name(std::string_view base);
std::optional<std::uint64_t> virtual_size_in_name(std::string_view base);

// The flags of a message as far as a file name can hold them, and the way back.
FileFlags to_file_flags(std::uint8_t system, const KeywordSet& keywords);
// `keywords` past the 26th are kept from `previous`.
MessageFlags from_file_flags(FileFlags flags, const KeywordSet& previous);

}  // namespace culver
