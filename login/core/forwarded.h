// Forwarded: what a proxy in login_trusted_networks says of the client behind it (docs/login-proxy.md). For IMAP it
// comes as x-* pairs of ID.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-net/ip-address.h"

namespace culver {

struct Forwarded {
    std::optional<IpAddress> remote, local;
    std::optional<std::uint16_t> remote_port, local_port;
    std::string session;
    std::optional<unsigned> ttl;
    std::vector<std::pair<std::string, std::string>> fields;  // x-forward-*, without the prefix

    // Takes a pair if it is one of these and makes sense; everything else is left alone.
    void take(std::string_view key, std::string_view value);
    bool empty() const;
};

}  // namespace culver
