#include "login/core/proxy-target.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "lib-base/text.h"
#include "lib-config/value.h"

namespace culver {
namespace {

using Problem = std::unexpected<std::string>;

constexpr std::chrono::minutes kLongestTimeout{10};
constexpr std::size_t kForwardedLimit = 20, kForwardedValueLimit = 1024;  // what fits an ID command (RFC 2971 §3.3)

std::string_view text_of(const AuthReply& reply, std::string_view key) {
    const std::string* value = reply.find(key);
    return value ? std::string_view(*value) : std::string_view();
}

bool is_host(std::string_view text) {
    return text.size() <= 255 && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// "5", "5s", "500ms".
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
    if (auto seconds = parse_uint32(text)) return std::chrono::seconds(*seconds);
    static constexpr SettingSpec kSpec{"proxy_timeout", SettingType::TimeMs, "0", Support::Acts, "", Area::Login};
    auto value = parse_value(kSpec, text);
    if (!value) return std::nullopt;
    return std::chrono::milliseconds(value->number);
}

// ssl=yes, ssl=any-cert, starttls=yes, starttls=any-cert.
void read_tls(ProxyTarget& target, const AuthReply& reply) {
    const std::string* at_once = reply.find("ssl");
    const std::string* later = reply.find("starttls");
    const std::string* value = later ? later : at_once;
    if (!value || *value == "no") return;
    target.tls = later ? ProxyTarget::Tls::StartTls : ProxyTarget::Tls::AtOnce;
    if (*value == "any-cert") target.certificate = ProxyTarget::Certificate::Any;
}

void read_forwarded(ProxyTarget& target, const AuthReply& reply) {
    constexpr std::string_view kPrefix = "forward_";
    for (const auto& [key, value] : reply.fields) {
        if (!key.starts_with(kPrefix) || value.size() > kForwardedValueLimit) continue;
        if (target.forwarded.size() < kForwardedLimit) target.forwarded.emplace_back(key.substr(kPrefix.size()), value);
    }
}

}  // namespace

std::expected<ProxyTarget, std::string> ProxyTarget::from(const AuthReply& reply, const Defaults& defaults) {
    ProxyTarget target;
    target.host = text_of(reply, "host");
    if (target.host.empty()) return Problem("host not given");
    if (!is_host(target.host)) return Problem("host is no name and no address");
    const auto address = IpAddress::parse(reply.find("hostip") ? text_of(reply, "hostip") : target.host);
    if (!address) return Problem(fmt::format("host is no IP address, and hostip not given: {}", target.host));
    target.address = *address;
    read_tls(target, reply);
    target.port = target.tls == Tls::AtOnce ? defaults.tls_port : defaults.port;
    if (const std::string* text = reply.find("port")) {
        const auto port = parse_uint32(*text);
        if (!port || *port == 0 || *port > std::numeric_limits<std::uint16_t>::max())
            return Problem("invalid port number: " + *text);
        target.port = static_cast<std::uint16_t>(*port);
    }
    target.user = reply.find("destuser") ? text_of(reply, "destuser") : defaults.user;
    target.master = text_of(reply, "master");
    target.mechanism = to_upper(text_of(reply, "proxy_mech"));
    const std::string* password = reply.find("pass");
    if (!password && target.mechanism != "EXTERNAL") return Problem("password not given");
    if (password) target.password = SecretString(*password);
    target.timeout = defaults.timeout;
    if (const std::string* text = reply.find("proxy_timeout")) {
        const auto timeout = parse_timeout(*text);
        if (!timeout) return Problem("invalid proxy_timeout: " + *text);
        if (timeout->count() > 0) target.timeout = *timeout;
    }
    target.timeout = std::min<std::chrono::milliseconds>(target.timeout, kLongestTimeout);
    if (const std::string* text = reply.find("source_ip"); text && !text->empty()) {
        target.source = IpAddress::parse(*text);
        if (!target.source) return Problem("invalid source_ip: " + *text);
    }
    target.pipelining = !reply.find("proxy_nopipelining");
    target.trusted = !reply.find("proxy_not_trusted");
    read_forwarded(target, reply);
    return target;
}

}  // namespace culver
