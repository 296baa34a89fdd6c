// Content transfer encodings (RFC 2045 §6), read leniently: what cannot be decoded is skipped or passed on.
#pragma once

#include <string>
#include <string_view>

namespace culver {

// Characters outside the alphabet are skipped; "=" ends a group, and what follows is read on.
std::string decode_base64(std::string_view text);

enum class QuotedPrintable { Body, Header };
// Soft line breaks and blanks at line ends go (in a Body); "=" without two hex digits stays.
std::string decode_quoted_printable(std::string_view text, QuotedPrintable kind);

// The body of a part whose Content-Transfer-Encoding is `encoding` (any case); unknown encodings are passed on.
std::string decode_transfer(std::string_view encoding, std::string_view body);

}  // namespace culver
