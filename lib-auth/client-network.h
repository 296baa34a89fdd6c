// The network that a client belongs to: whoever has one of its addresses can have others of it.
#pragma once

#include <string>
#include <string_view>

namespace culver {

// A short key for the /24 (IPv4) or /64 (IPv6) of an address; empty for what is no address.
std::string client_network(std::string_view remote_ip);

}  // namespace culver
