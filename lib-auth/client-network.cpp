#include "lib-auth/client-network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace culver {

std::string client_network(std::string_view remote_ip) {
    if (remote_ip.empty()) return {};
    auto address = IpAddress::parse(remote_ip);
    return address ? client_network(*address) : std::string();
}

std::string client_network(const IpAddress& address) {
    return std::string(address.bytes().substr(0, address.is_ipv6() ? 8 : 3));
}

std::string client_network_name(const IpAddress& address) {
    std::string bytes = client_network(address);
    bytes.resize(address.bytes().size());  // the rest is 0
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(address.is_ipv6() ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
    return text + std::string(address.is_ipv6() ? "/64" : "/24");
}

}  // namespace culver
