#include "lib-smtp/reply.h"

namespace culver {
namespace {
constexpr std::size_t kLineLimit = 512 - 6;  // "250 " before and CRLF behind
}

std::string printable(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) c = '?';
    }
    return out;
}

void SmtpReply::append_to(std::string& out) const {
    const std::string number = std::to_string(code);
    std::string_view rest = text;
    for (;;) {
        auto newline = rest.find('\n');
        std::string_view line = rest.substr(0, newline);
        out += number;
        out += newline == std::string_view::npos ? ' ' : '-';
        if (line.size() > kLineLimit) {
            // Never in the middle of a UTF-8 character.
            std::size_t cut = kLineLimit;
            while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xc0) == 0x80) --cut;
            line = line.substr(0, cut);
        }
        out += printable(line);
        out += "\r\n";
        if (newline == std::string_view::npos) return;
        rest.remove_prefix(newline + 1);
    }
}

}  // namespace culver
