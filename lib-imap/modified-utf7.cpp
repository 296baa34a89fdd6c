#include "lib-imap/modified-utf7.h"

#include <array>
#include <cstdint>

namespace culver {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

constexpr auto kValues = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    return values;
}();

bool is_printable(std::uint32_t c) { return c >= 0x20 && c < 0x7f; }

// The character at `at`, which moves behind it. Bad bytes give U+FFFD one by one.
std::uint32_t next_character(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const std::uint32_t first = byte(at);
    if (first < 0x80) return ++at, first;
    const int more = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xc2 && first < 0xe0 ? 1 : 0;
    if (more == 0) return ++at, 0xfffd;
    std::uint32_t c = first & (0x3f >> more);
    for (int i = 1; i <= more; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80) return ++at, 0xfffd;
        c = c << 6 | (byte(at + i) & 0x3f);
    }
    static constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (c < kSmallest[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return ++at, 0xfffd;
    at += static_cast<std::size_t>(more) + 1;
    return c;
}

void append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

// One run of base64 being written: UTF-16 units go in, six bits come out at a time.
struct Base64Run {
    std::string& out;
    std::uint32_t bits = 0;
    int count = 0;

    void unit(std::uint32_t value) {
        bits = (bits << 16 | value);
        count += 16;
        for (; count >= 6; count -= 6) out += kAlphabet[bits >> (count - 6) & 0x3f];
        bits &= (1u << count) - 1;
    }
    void finish() {
        if (count > 0) out += kAlphabet[bits << (6 - count) & 0x3f];
        out += '-';
    }
};

// The UTF-16 of one run, without its "&" and "-", as UTF-8.
bool decode_run(std::string_view run, std::string& out) {
    std::uint32_t bits = 0, high = 0;
    int count = 0;
    for (const char c : run) {
        const int value = kValues[static_cast<unsigned char>(c)];
        if (value < 0) return false;
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0x3fffff;
        count += 6;
        if (count < 16) continue;
        count -= 16;
        const std::uint32_t unit = bits >> count & 0xffff;
        if (high != 0) {
            if (unit < 0xdc00 || unit > 0xdfff) return false;
            append_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
            high = 0;
        } else if (unit >= 0xd800 && unit < 0xdc00) {
            high = unit;
        } else if (unit >= 0xdc00 && unit < 0xe000) {
            return false;
        } else if (is_printable(unit) || unit == 0) {
            return false;  // ASCII has to stand for itself, and NUL must not exist
        } else {
            append_utf8(out, unit);
        }
    }
    // No half character, at most five bits of padding, all zero.
    return high == 0 && count < 6 && (bits & ((1u << count) - 1)) == 0;
}

}  // namespace

std::string utf7_encode(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size() + 8);
    for (std::size_t at = 0; at < utf8.size();) {
        const auto byte = static_cast<unsigned char>(utf8[at]);
        if (is_printable(byte)) {
            out += utf8[at++];
            if (byte == '&') out += '-';
            continue;
        }
        out += '&';
        Base64Run run{out};
        while (at < utf8.size() && !is_printable(static_cast<unsigned char>(utf8[at]))) {
            const std::uint32_t c = next_character(utf8, at);
            if (c >= 0x10000) {
                run.unit(0xd800 + ((c - 0x10000) >> 10));
                run.unit(0xdc00 + ((c - 0x10000) & 0x3ff));
            } else {
                run.unit(c);
            }
        }
        run.finish();
    }
    return out;
}

std::optional<std::string> utf7_decode(std::string_view encoded) {
    std::string out;
    out.reserve(encoded.size());
    std::size_t run_end = std::string_view::npos;  // just behind the "-" of the last run
    for (std::size_t at = 0; at < encoded.size();) {
        const auto byte = static_cast<unsigned char>(encoded[at]);
        if (!is_printable(byte)) return std::nullopt;
        if (byte != '&') {
            out += encoded[at++];
            continue;
        }
        const std::size_t dash = encoded.find('-', at);
        if (dash == std::string_view::npos) return std::nullopt;
        if (dash == at + 1) {
            out += '&';
        } else {
            if (run_end == at) return std::nullopt;
            if (!decode_run(encoded.substr(at + 1, dash - at - 1), out)) return std::nullopt;
            run_end = dash + 1;
        }
        at = dash + 1;
    }
    return out;
}

}  // namespace culver
