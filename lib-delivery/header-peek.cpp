#include "lib-delivery/header-peek.h"

#include "lib-base/text.h"

namespace culver {
namespace {

constexpr std::size_t kValueLimit = 1000;

// Without line ends and surrounding blanks; control bytes are the log's business.
std::string unfolded(std::string_view raw) {
    std::string out;
    for (char c : trim(raw).substr(0, 2 * kValueLimit))
        if (c != '\r' && c != '\n' && out.size() < kValueLimit) out += c == '\t' ? ' ' : c;
    return std::string(trim(out));
}

void note(HeaderPeek& peek, std::string_view field) {
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view name = trim(field.substr(0, colon));
    std::string* target = equals_ignore_case(name, "message-id") ? &peek.message_id
                          : equals_ignore_case(name, "subject")  ? &peek.subject
                          : equals_ignore_case(name, "from")     ? &peek.from
                                                                 : nullptr;
    if (target && target->empty()) *target = unfolded(field.substr(colon + 1));
}

}  // namespace

HeaderPeek peek_header(std::string_view bytes) {
    HeaderPeek peek;
    std::size_t field = 0, at = 0;  // the field that is being read, and the line
    while (at < bytes.size()) {
        auto newline = bytes.find('\n', at);
        const std::size_t next = newline == std::string_view::npos ? bytes.size() : newline + 1;
        const bool folded = at > field && (bytes[at] == ' ' || bytes[at] == '\t');
        if (!folded) {
            if (at > field) note(peek, bytes.substr(field, at - field));
            field = at;
            std::string_view line = bytes.substr(at, next - at);
            if (line == "\n" || line == "\r\n") return peek;
        }
        at = next;
    }
    note(peek, bytes.substr(field));
    return peek;
}

}  // namespace culver
