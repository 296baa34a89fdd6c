// TCP connections that this machine opens, without waiting for them.
#pragma once

#include <cstdint>
#include <optional>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-net/ip-address.h"

namespace culver {

// Begins to connect; the socket is non-blocking and becomes writable when that is decided (finish_connecting). From
// `source`, if there is one. Small writes are not held back (TCP_NODELAY).
Result<UniqueFd> start_connecting(const IpAddress& address, std::uint16_t port, const std::optional<IpAddress>& source);

// What became of it: success, or the error of connect().
Status finish_connecting(int fd);

// Whether sockets of this machine can have the address.
bool is_own_address(const IpAddress& address);

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
};
// This end of a socket; nothing if it has none yet.
std::optional<Endpoint> local_endpoint(int fd);

}  // namespace culver
