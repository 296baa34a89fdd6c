// Modified UTF-7, the encoding of mailbox names in IMAP and in Maildir folders. RFC 3501 §5.1.3. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culver {

// To UTF-8. Nothing if `name` is not what an encoder would have written: bytes outside printable ASCII, printable
// characters or '&' in base64, superfluous shifts, padding bits, lone surrogates. So each name has one encoding.
std::optional<std::string> modified_utf7_decode(std::string_view name);

// Nothing if `utf8` is not valid UTF-8.
std::optional<std::string> modified_utf7_encode(std::string_view utf8);

}  // namespace culver
