// ProxyTarget: where authd says that a login belongs, and how to log in there (docs/login-proxy.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib-auth/auth-client.h"
#include "lib-base/secret-string.h"
#include "lib-net/ip-address.h"

namespace culver {

struct ProxyTarget {
    enum class Tls { No, AtOnce, StartTls };
    enum class Certificate { Checked, Any };

    std::string host;  // as the passdb says it; certificates are checked for it
    IpAddress address;
    std::uint16_t port = 0;
    std::string user;    // who logs in there
    std::string master;  // with whose password; empty: his own
    SecretString password;
    std::string mechanism;  // upper case; empty: the protocol's own way, or PLAIN for a master
    Tls tls = Tls::No;
    Certificate certificate = Certificate::Checked;
    std::chrono::milliseconds timeout{};
    std::optional<IpAddress> source;
    bool pipelining = true, trusted = true;                        // trusted: may be told about the client
    std::vector<std::pair<std::string, std::string>> forwarded{};  // forward_*, without the prefix

    // What the fields leave open. The port may be that of TLS (993).
    struct Defaults {
        std::string user;
        std::uint16_t port = 0, tls_port = 0;
        std::chrono::milliseconds timeout{};
    };
    // Of a reply with `proxy`. The error is for the log: "host not given".
    static std::expected<ProxyTarget, std::string> from(const AuthReply& reply, const Defaults& defaults);
};

}  // namespace culver
