// proxy and proxy_maybe: what a login process gets to hear about a login that belongs to another server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib-auth/auth-request.h"
#include "lib-net/ip-address.h"

namespace culver {

// True if the fields of a proven login ask for proxying.
bool wants_proxy(const AuthRequest& request);
// The name that has to be resolved first: `host` when it is no address and there is no `hostip`.
std::optional<std::string> proxy_host_to_resolve(const AuthRequest& request);
// Completes the fields: `proxy_maybe` becomes `proxy`, or goes with its family when the destination is this server (the
// client's local address or one of `own_addresses`, the same port); `hostip` of a resolved name, `pass` with the
// password that the client gave, `master`; without a host the address that the client came to.
void complete_proxy_fields(AuthRequest& request, const std::vector<IpAddress>& resolved,
                           const std::vector<IpAddress>& own_addresses);
// Blocks. Unavailable if the name has no address.
Result<std::vector<IpAddress>> resolve_proxy_host(const std::string& host);

}  // namespace culver
