// Charsets to UTF-8, by the C library's iconv. RFC 2978 names. Bad bytes become U+FFFD, nothing fails half-way.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culver {

bool is_known_charset(std::string_view charset);
// Nothing if the charset is unknown. "" and "us-ascii" are taken as UTF-8, which is what 8-bit mail without a label is.
std::optional<std::string> to_utf8(std::string_view charset, std::string_view bytes);
// Bytes that are not UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

}  // namespace culver
