// Small pure functions on text: splitting, case, strict numbers, and the encodings of the protocols.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

// ASCII only, so that no locale changes a protocol.
char ascii_lower(char c);
char ascii_upper(char c);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);
bool starts_with_ignore_case(std::string_view text, std::string_view prefix);

// Without leading and trailing blanks and tabs.
std::string_view trim(std::string_view text);
// Split at each `separator`; "a,,b" gives three parts, "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
// Split at runs of blanks and tabs; no empty parts.
std::vector<std::string_view> split_words(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Digits only, no sign, no blanks, no overflow: anything else is nothing (RFC 9051 `number`).
std::optional<std::uint64_t> parse_uint64(std::string_view text);
std::optional<std::uint32_t> parse_uint32(std::string_view text);
std::optional<std::uint64_t> parse_hex(std::string_view text);

std::string base64_encode(std::string_view bytes);
// RFC 4648 §4 with padding required; nothing on any other byte, white space included.
std::optional<std::string> base64_decode(std::string_view text);
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

// Field escaping of Dovecot's internal line protocols: \001, TAB, CR, LF, NUL become \001 + '1','t','r','n','0'.
// Applied exactly once, at the writer (docs/design.md, security rule M2).
std::string tab_escape(std::string_view field);
std::string tab_unescape(std::string_view field);

// Valid UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_valid_utf8(std::string_view text);

// Same content, in time that depends only on the lengths; the lengths themselves are folded in (security rule M7).
bool equals_constant_time(std::string_view a, std::string_view b);

}  // namespace culver
