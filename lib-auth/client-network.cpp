#include "lib-auth/client-network.h"

#include "lib-net/ip-address.h"

namespace culver {

std::string client_network(std::string_view remote_ip) {
    if (remote_ip.empty()) return {};
    auto address = IpAddress::parse(remote_ip);
    if (!address) return {};
    return std::string(address->bytes().substr(0, address->is_ipv6() ? 8 : 3));
}

}  // namespace culver
