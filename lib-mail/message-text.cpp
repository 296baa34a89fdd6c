#include "lib-mail/message-text.h"

#include <algorithm>
#include <cstring>

#include "lib-base/text.h"
#include "lib-mail/charset.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/mime-fields.h"
#include "lib-mail/transfer-decoding.h"
#include "lib-mail/unicode-fold.h"

namespace culver {

namespace {

// Bytes of a stored body that are decoded at a time.
constexpr std::size_t kPiece = 128 * 1024;

// The next piece of a body: whole lines, and for base64 whole groups of four, so that each can be decoded alone.
std::string_view next_piece(std::string_view body, bool base64) {
    if (body.size() <= kPiece) return body;
    std::size_t end = body.rfind('\n', kPiece);
    end = end == std::string_view::npos || end == 0 ? kPiece : end + 1;
    if (!base64) return body.substr(0, end);
    const auto is_digit = [](char c) { return c > ' '; };
    const std::string_view piece = body.substr(0, end);
    auto digits = static_cast<std::size_t>(std::count_if(piece.begin(), piece.end(), is_digit));
    while (digits % 4 != 0 && end > 1)
        if (is_digit(body[--end])) --digits;
    return body.substr(0, end);
}

bool contains(std::string_view haystack, std::string_view needle) {
    return memmem(haystack.data(), haystack.size(), needle.data(), needle.size()) != nullptr;
}

}  // namespace

TextSearch::TextSearch(std::string_view needle) : needle_(fold_text(valid_utf8(needle))) {}

bool TextSearch::in_text(std::string_view utf8) const { return contains(fold_text(utf8), needle_); }

bool TextSearch::in_value(std::string_view header_value) const { return in_text(decode_encoded_words(header_value)); }

bool TextSearch::in_header(std::string_view header) const {
    HeaderReader reader(header);
    HeaderField field;
    while (reader.next(field)) {
        const std::string value = field.name.empty() ? field.value() : std::string(field.name) + ": " + field.value();
        if (in_value(value)) return true;
    }
    return false;
}

bool TextSearch::in_part(std::string_view message, const MimePart& part) const {
    const MimeFields fields = parse_mime_fields(part.header(message), part.in_multipart);
    const std::string encoding = fields.encoding.value_or("");
    const bool base64 = equals_ignore_case(encoding, "base64");
    const std::string* charset_parameter = find_parameter(fields.parameters, "charset");
    std::string charset = charset_parameter ? *charset_parameter : "";
    if (!is_known_charset(charset)) charset.clear();
    std::string_view rest = part.body(message);
    std::string text;  // folded: the end of the last piece, where a match may begin, and the current piece
    do {
        const std::string_view piece = next_piece(rest, base64);
        rest.remove_prefix(piece.size());
        append_folded(text, to_utf8(charset, decode_transfer(encoding, piece)).value_or(""));
        if (contains(text, needle_)) return true;
        if (text.size() >= needle_.size()) text.erase(0, text.size() - (needle_.empty() ? 0 : needle_.size() - 1));
    } while (!rest.empty());
    return false;
}

bool TextSearch::in_message(std::string_view message, const MimeStructure& structure, Scope scope) const {
    if (needle_.empty()) return true;
    for (const MimePart& part : structure.parts()) {
        if (scope == Scope::HeadersAndBody && in_header(part.header(message))) return true;
        if (part.kind == MimePart::Text && in_part(message, part)) return true;
    }
    return false;
}

}  // namespace culver
