#include "lib-auth/proxy-fields.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>

namespace culver {

namespace {
std::string_view value_of(const AuthRequest& request, std::string_view key) {
    const AuthField* field = request.fields.find(key);
    return field ? std::string_view(field->value) : std::string_view();
}

// Another port is another server, even on this host.
bool is_same_port(const AuthRequest& request) {
    std::string_view port = value_of(request, "port");
    return port.empty() || port == request.local_port;
}
}  // namespace

bool wants_proxy(const AuthRequest& request) {
    return request.fields.contains("proxy") || request.fields.contains("proxy_maybe");
}

std::optional<std::string> proxy_host_to_resolve(const AuthRequest& request) {
    std::string host(value_of(request, "host"));
    if (!wants_proxy(request) || host.empty() || request.fields.contains("hostip") || IpAddress::parse(host))
        return std::nullopt;
    return host;
}

void complete_proxy_fields(AuthRequest& request, const std::vector<IpAddress>& resolved,
                           const std::vector<IpAddress>& own_addresses) {
    AuthFields& fields = request.fields;
    const std::string host(value_of(request, "host"));
    std::vector<IpAddress> destination = resolved;
    if (auto address = IpAddress::parse(fields.contains("hostip") ? value_of(request, "hostip") : host))
        destination = {*address};
    if (!resolved.empty()) fields.set("hostip", resolved.front().to_string());
    if (fields.contains("proxy_maybe")) {
        auto local = IpAddress::parse(request.local_ip);
        bool is_self = std::any_of(destination.begin(), destination.end(), [&](const IpAddress& address) {
            return (local && address == *local) ||
                   std::find(own_addresses.begin(), own_addresses.end(), address) != own_addresses.end();
        });
        fields.remove("proxy_maybe");
        if (is_self && is_same_port(request)) {
            for (const char* key : {"proxy", "proxy_always", "host", "port", "destuser"}) fields.remove(key);
            return;
        }
        fields.set("proxy", "", false);
    }
    if (host.empty()) {
        if (!request.local_ip.empty()) fields.set("lip", request.local_ip);
        if (!request.local_port.empty()) fields.set("lport", request.local_port);
    }
    if (!fields.contains("pass") && !request.password.empty()) fields.set("pass", request.password.reveal());
    if (!request.master_user.empty() && !fields.contains("master")) fields.set("master", request.master_user);
}

Result<std::vector<IpAddress>> resolve_proxy_host(const std::string& host) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (status != 0)
        return fail(ErrorCode::Unavailable, fmt::format("DNS lookup for {} failed: {}", host, ::gai_strerror(status)));
    std::vector<IpAddress> out;
    for (const addrinfo* each = found; each; each = each->ai_next)
        if (auto address = IpAddress::from_sockaddr(each->ai_addr)) out.push_back(*address);
    ::freeaddrinfo(found);
    if (out.empty()) return fail(ErrorCode::Unavailable, fmt::format("DNS lookup for {} gave no address", host));
    return out;
}

}  // namespace culver
