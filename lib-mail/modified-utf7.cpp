#include "lib-mail/modified-utf7.h"

#include <cstdint>

#include "lib-base/text.h"

namespace culver {

namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

bool is_printable(std::uint32_t c) { return c >= 0x20 && c <= 0x7e; }

void append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 63));
        out += static_cast<char>(0x80 | (c & 63));
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 63));
        out += static_cast<char>(0x80 | ((c >> 6) & 63));
        out += static_cast<char>(0x80 | (c & 63));
    }
}

// UTF-16 units of one shifted run to UTF-8.
class Utf16Reader {
public:
    explicit Utf16Reader(std::string& out) : out_(out) {}
    bool take(std::uint32_t unit) {
        const bool is_high = unit >= 0xd800 && unit < 0xdc00;
        const bool is_low = unit >= 0xdc00 && unit < 0xe000;
        if (high_ != 0) {
            if (!is_low) return false;
            append_utf8(out_, 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00));
            high_ = 0;
            return true;
        }
        if (is_low || is_printable(unit)) return false;
        if (is_high) {
            high_ = unit;
        } else {
            append_utf8(out_, unit);
        }
        return true;
    }
    bool is_complete() const { return high_ == 0; }

private:
    std::string& out_;
    std::uint32_t high_ = 0;
};

// Decodes the base64 between '&' and '-'.
bool decode_run(std::string_view run, std::string& out) {
    Utf16Reader reader(out);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : run) {
        const int value = base64_value(c);
        if (value < 0) return false;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 16) continue;
        count -= 16;
        if (!reader.take((bits >> count) & 0xffff)) return false;
        bits &= (1u << count) - 1;
    }
    // What is left is padding: fewer than 6 bits, all zero.
    return count < 6 && bits == 0 && reader.is_complete();
}

// The code point at `at`, which moves behind it. The text is valid UTF-8.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    std::uint32_t c = lead & (0x3fu >> more);
    for (int i = 0; i < more; ++i) c = (c << 6) | (static_cast<unsigned char>(text[at++]) & 63);
    return c;
}

class Base64Writer {
public:
    explicit Base64Writer(std::string& out) : out_(out) {}
    void put(std::uint32_t unit) {
        bits_ = (bits_ << 16) | unit;
        count_ += 16;
        while (count_ >= 6) {
            count_ -= 6;
            out_ += kAlphabet[(bits_ >> count_) & 63];
        }
        bits_ &= (1u << count_) - 1;
    }
    void finish() {
        if (count_ > 0) out_ += kAlphabet[(bits_ << (6 - count_)) & 63];
    }

private:
    std::string& out_;
    std::uint32_t bits_ = 0;
    unsigned count_ = 0;
};

}  // namespace

std::optional<std::string> modified_utf7_decode(std::string_view name) {
    std::string out;
    bool after_run = false;  // "&AOQ-&AOQ-" is one run cut in two: an encoder would not have written it
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        if (!is_printable(static_cast<unsigned char>(c))) return std::nullopt;
        if (c != '&') {
            out += c;
            after_run = false;
            continue;
        }
        const std::size_t end = name.find('-', at);
        if (end == std::string_view::npos) return std::nullopt;
        if (end == at + 1) {
            out += '&';
            after_run = false;
        } else {
            if (after_run || !decode_run(name.substr(at + 1, end - at - 1), out)) return std::nullopt;
            after_run = true;
        }
        at = end;
    }
    return out;
}

std::optional<std::string> modified_utf7_encode(std::string_view utf8) {
    if (!is_valid_utf8(utf8)) return std::nullopt;
    std::string out;
    for (std::size_t at = 0; at < utf8.size();) {
        const auto c = static_cast<unsigned char>(utf8[at]);
        if (is_printable(c)) {
            out += utf8[at++];
            if (c == '&') out += '-';
            continue;
        }
        out += '&';
        Base64Writer writer(out);
        while (at < utf8.size() && !is_printable(static_cast<unsigned char>(utf8[at]))) {
            const std::uint32_t code = next_code_point(utf8, at);
            if (code < 0x10000) {
                writer.put(code);
            } else {
                writer.put(0xd800 + ((code - 0x10000) >> 10));
                writer.put(0xdc00 + ((code - 0x10000) & 0x3ff));
            }
        }
        writer.finish();
        out += '-';
    }
    return out;
}

}  // namespace culver
