// The network that a client belongs to: whoever has one of its addresses can have others of it.
#pragma once

#include <string>
#include <string_view>

#include "lib-net/ip-address.h"

namespace culver {

// A short key for the /24 (IPv4) or /64 (IPv6) of an address; empty for what is no address.
std::string client_network(std::string_view remote_ip);
std::string client_network(const IpAddress& address);
// The same for people: "192.0.2.0/24", "2001:db8:0:1::/64".
std::string client_network_name(const IpAddress& address);

}  // namespace culver
