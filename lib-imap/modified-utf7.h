// Modified UTF-7, the spelling of mailbox names on the wire and in Maildir++ folder names (RFC 3501 §5.1.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culver {

// Valid UTF-8 in; bytes that are not UTF-8 are each treated as U+FFFD.
std::string utf7_encode(std::string_view utf8);
// Nothing unless `encoded` is the one correct spelling: printable ASCII, no base64 of printable characters, no lone
// surrogates, no leftover bits, no two adjacent runs, no NUL or other control character inside a run.
std::optional<std::string> utf7_decode(std::string_view encoded);

}  // namespace culver
