#include "login/core/forwarded.h"

#include <algorithm>
#include <limits>

#include "lib-base/text.h"

namespace culver {
namespace {

constexpr std::size_t kSessionLimit = 64, kFieldLimit = 30;
constexpr std::string_view kForwardPrefix = "x-forward-";

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_uint32(text);
    if (!number || *number > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

// authd's line protocol separates by control characters.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= ' '; });
}

// It stands in log lines, between < and >.
bool is_session(std::string_view text) {
    return !text.empty() && text.size() <= kSessionLimit &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '<' && c != '>'; });
}

}  // namespace

void Forwarded::take(std::string_view key, std::string_view value) {
    const auto is = [key](std::string_view name) { return equals_ignore_case(key, name); };
    if (is("x-originating-ip")) remote = IpAddress::parse(value);
    else if (is("x-connected-ip")) local = IpAddress::parse(value);
    else if (is("x-originating-port")) remote_port = parse_port(value);
    else if (is("x-connected-port")) local_port = parse_port(value);
    else if (is("x-proxy-ttl")) ttl = parse_uint32(value);
    else if (is("x-session-id") && is_session(value)) session = value;
    else if (starts_with_ignore_case(key, kForwardPrefix) && key.size() > kForwardPrefix.size() &&
             fields.size() < kFieldLimit && is_plain(key) && is_plain(value))
        fields.emplace_back(key.substr(kForwardPrefix.size()), value);
}

bool Forwarded::empty() const {
    return !remote && !local && !remote_port && !local_port && session.empty() && !ttl && fields.empty();
}

}  // namespace culver
