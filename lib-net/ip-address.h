// IP addresses and networks as values. IPv4-mapped IPv6 addresses are stored as IPv4.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

class IpAddress {
public:
    // "192.0.2.1", "2001:db8::1"; nothing on anything else (no host names, no brackets).
    static std::optional<IpAddress> parse(std::string_view text);
    static std::optional<IpAddress> from_sockaddr(const sockaddr* address);
    std::string to_string() const;
    bool is_ipv6() const { return is_ipv6_; }
    // 4 or 16 bytes, network order.
    std::string_view bytes() const;
    bool operator==(const IpAddress&) const = default;

private:
    std::array<unsigned char, 16> bytes_{};
    bool is_ipv6_ = false;
};

struct IpNetwork {
    IpAddress address;
    unsigned prefix_length = 0;
    // "10.0.0.0/8", "::1", "fe80::/10"; without a length the network is the single address.
    static std::optional<IpNetwork> parse(std::string_view text);
    bool contains(const IpAddress& other) const;
};

// A list as in login_trusted_networks: separated by blanks or commas. `bad` receives the words that do not parse.
std::vector<IpNetwork> parse_networks(std::string_view text, std::vector<std::string>* bad);

}  // namespace culver
