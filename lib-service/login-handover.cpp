#include "lib-service/login-handover.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {
namespace {

constexpr char kVersion = 1;
constexpr std::uint32_t kFieldLimit = 64 << 10;

class Writer {
public:
    void number(std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
    }
    void text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        bytes += value;
    }
    std::string bytes{kVersion};
};

// Keeps its first error; what comes after it reads as empty.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    std::uint32_t number() {
        if (rest_.size() < 4) return bad();
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
        rest_.remove_prefix(4);
        return value;
    }
    std::string text() {
        const std::uint32_t size = number();
        if (size > kFieldLimit || size > rest_.size()) {
            bad();
            return {};
        }
        std::string value(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return value;
    }
    bool complete() const { return ok_ && rest_.empty(); }

private:
    std::uint32_t bad() {
        ok_ = false;
        rest_ = {};
        return 0;
    }
    std::string_view rest_;
    bool ok_ = true;
};

constexpr std::uint32_t kTls = 1, kSecured = 2, kAskedCapability = 4, kHasSessionPid = 8;

}  // namespace

std::string LoginHandover::serialize() const {
    Writer out;
    out.number((tls ? kTls : 0u) | (secured ? kSecured : 0u) | (client_asked_capability ? kAskedCapability : 0u) |
               (ticket.session_pid ? kHasSessionPid : 0u));
    out.number(ticket.client_pid);
    out.number(ticket.auth_id);
    out.number(ticket.session_pid.value_or(0));
    out.number(std::uint32_t{local_port} << 16 | remote_port);
    for (const std::string* field : {&ticket.cookie, &user, &tag, &session, &local_ip, &remote_ip, &pending_input})
        out.text(*field);
    return out.bytes;
}

Result<LoginHandover> LoginHandover::deserialize(std::string_view bytes) {
    if (bytes.empty() || bytes[0] != kVersion)
        return fail(ErrorCode::Corrupt,
                    "a login handover of another version: login and mail processes come from "
                    "different builds, restart the server");
    Reader in(bytes.substr(1));
    LoginHandover result;
    const std::uint32_t flags = in.number();
    result.tls = flags & kTls;
    result.secured = flags & kSecured;
    result.client_asked_capability = flags & kAskedCapability;
    result.ticket.client_pid = in.number();
    result.ticket.auth_id = in.number();
    const std::uint32_t session_pid = in.number();
    if (flags & kHasSessionPid) result.ticket.session_pid = session_pid;
    const std::uint32_t ports = in.number();
    result.local_port = static_cast<std::uint16_t>(ports >> 16);
    result.remote_port = static_cast<std::uint16_t>(ports & 0xffff);
    for (std::string* field : {&result.ticket.cookie, &result.user, &result.tag, &result.session, &result.local_ip,
                               &result.remote_ip, &result.pending_input})
        *field = in.text();
    if (!in.complete()) return fail(ErrorCode::Corrupt, "a login handover does not parse");
    return result;
}

std::string HandoverReply::to_line() const {
    if (ok) return fmt::format("OK {}\n", mail_pid);
    std::string clean = text;
    for (char& c : clean)
        if (c == '\n' || c == '\r' || c == '\0') c = ' ';
    return fmt::format("FAIL {} {}\n", code.empty() ? "internal" : code, clean);
}

Result<HandoverReply> HandoverReply::parse(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    HandoverReply reply;
    if (line.starts_with("OK ")) {
        auto pid = parse_uint32(line.substr(3));
        if (!pid) return fail(ErrorCode::Corrupt, "a handover reply without a pid");
        reply.ok = true;
        reply.mail_pid = static_cast<pid_t>(*pid);
        return reply;
    }
    if (!line.starts_with("FAIL ")) return fail(ErrorCode::Corrupt, "not a handover reply");
    line.remove_prefix(5);
    const auto blank = line.find(' ');
    reply.code = std::string(line.substr(0, blank));
    if (blank != std::string_view::npos) reply.text = std::string(line.substr(blank + 1));
    return reply;
}

}  // namespace culver
