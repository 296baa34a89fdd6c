#include "lib-mail/charset.h"

#include <iconv.h>

#include <cerrno>

#include "lib-base/text.h"

namespace culver {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool is_utf8_name(std::string_view charset) {
    for (std::string_view name : {"", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968"})
        if (equals_ignore_case(charset, name)) return true;
    return false;
}

class Converter {
public:
    explicit Converter(std::string_view charset) {
        // Only what charset names are made of: iconv gives "//" and "," meanings of its own.
        for (const char c : charset)
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.' || c == ':' || c == '+'))
                return;
        if (charset.size() <= 64) handle_ = iconv_open("UTF-8", std::string(charset).c_str());
    }
    ~Converter() {
        if (is_open()) iconv_close(handle_);
    }
    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;

    bool is_open() const { return handle_ != kClosed; }

    std::string convert(std::string_view bytes) {
        std::string out;
        char* in = const_cast<char*>(bytes.data());
        std::size_t left = bytes.size();
        char buffer[4096];
        while (left > 0) {
            char* to = buffer;
            std::size_t room = sizeof buffer;
            const std::size_t result = iconv(handle_, &in, &left, &to, &room);
            out.append(buffer, sizeof buffer - room);
            if (result != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
            // A bad byte, or a character cut off at the end.
            out.append(kReplacement);
            if (left == 0 || errno == EINVAL) break;
            ++in;
            --left;
        }
        return out;
    }

private:
    static inline const iconv_t kClosed = reinterpret_cast<iconv_t>(-1);
    iconv_t handle_ = kClosed;
};

// How many bytes the valid UTF-8 character at the beginning of `text` has, 0 if there is none.
std::size_t character_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    return length <= text.size() && (length == 1 || is_valid_utf8(text.substr(0, length))) ? length : 0;
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
    if (is_valid_utf8(bytes)) return std::string(bytes);
    std::string out;
    out.reserve(bytes.size() + 16);
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        if (length > 0) out.append(bytes.substr(0, length));
        else out.append(kReplacement);
        bytes.remove_prefix(length > 0 ? length : 1);
    }
    return out;
}

bool is_known_charset(std::string_view charset) { return is_utf8_name(charset) || Converter(charset).is_open(); }

std::optional<std::string> to_utf8(std::string_view charset, std::string_view bytes) {
    if (is_utf8_name(charset)) return valid_utf8(bytes);
    Converter converter(charset);
    if (!converter.is_open()) return std::nullopt;
    return converter.convert(bytes);
}

}  // namespace culver
