#include "lib-mail/transfer-decoding.h"

#include <array>
#include <cstdint>

#include "lib-base/text.h"

namespace culver {

namespace {

constexpr auto kBase64 = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return values;
}();

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::string decode_base64(std::string_view text) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') {
            count = 0;
            continue;
        }
        const int value = kBase64[static_cast<unsigned char>(c)];
        if (value < 0) continue;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return out;
}

std::string decode_quoted_printable(std::string_view text, QuotedPrintable kind) {
    std::string out;
    out.reserve(text.size());
    std::size_t decoded_end = 0;  // a blank that was encoded is meant, also at a line end
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (kind == QuotedPrintable::Body && c == '\n') {
            std::size_t end = out.size();
            while (end > decoded_end && (out[end - 1] == ' ' || out[end - 1] == '\t' || out[end - 1] == '\r')) --end;
            const bool crlf = i > 0 && text[i - 1] == '\r';
            out.resize(end);
            out.append(crlf ? "\r\n" : "\n");
            continue;
        }
        if (c != '=') {
            out += c;
            continue;
        }
        const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            out += static_cast<char>(high << 4 | low);
            decoded_end = out.size();
            i += 2;
            continue;
        }
        // "=" and blanks up to the line end: a soft line break.
        std::size_t end = i + 1;
        while (end < text.size() && (text[end] == ' ' || text[end] == '\t' || text[end] == '\r')) ++end;
        if (kind == QuotedPrintable::Body && (end == text.size() || text[end] == '\n')) i = end;
        else out += c;
    }
    return out;
}

std::string decode_transfer(std::string_view encoding, std::string_view body) {
    if (equals_ignore_case(encoding, "base64")) return decode_base64(body);
    if (equals_ignore_case(encoding, "quoted-printable")) return decode_quoted_printable(body, QuotedPrintable::Body);
    return std::string(body);
}

}  // namespace culver
