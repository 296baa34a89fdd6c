#include "lib-net/ip-address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "lib-base/text.h"

namespace culver {
namespace {

constexpr unsigned char kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    // inet_pton wants a C string; an embedded NUL must not hide the rest of the text from it.
    if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
    const std::string copy(text);
    IpAddress address;
    in_addr v4;
    if (::inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
        std::memcpy(address.bytes_.data(), &v4, 4);
        return address;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    if (::inet_pton(AF_INET6, copy.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&v6));
}

std::optional<IpAddress> IpAddress::from_sockaddr(const sockaddr* address) {
    IpAddress result;
    if (address->sa_family == AF_INET) {
        std::memcpy(result.bytes_.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
        return result;
    }
    if (address->sa_family != AF_INET6) return std::nullopt;
    const auto* raw = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr;
    if (std::equal(std::begin(kMappedPrefix), std::end(kMappedPrefix), raw)) {
        std::memcpy(result.bytes_.data(), raw + 12, 4);
        return result;
    }
    result.is_ipv6_ = true;
    std::memcpy(result.bytes_.data(), raw, 16);
    return result;
}

std::string IpAddress::to_string() const {
    char buffer[INET6_ADDRSTRLEN];
    ::inet_ntop(is_ipv6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

std::string_view IpAddress::bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), is_ipv6_ ? 16u : 4u};
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const unsigned longest = address->is_ipv6() ? 128 : 32;
    if (slash == std::string_view::npos) return IpNetwork{*address, longest};
    auto length = parse_uint32(text.substr(slash + 1));
    if (!length || *length > longest) return std::nullopt;
    return IpNetwork{*address, *length};
}

bool IpNetwork::contains(const IpAddress& other) const {
    if (other.is_ipv6() != address.is_ipv6()) return false;
    const auto mine = address.bytes(), theirs = other.bytes();
    const unsigned whole = prefix_length / 8, rest = prefix_length % 8;
    if (mine.substr(0, whole) != theirs.substr(0, whole)) return false;
    if (rest == 0) return true;
    const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
    return (static_cast<unsigned char>(mine[whole]) & mask) == (static_cast<unsigned char>(theirs[whole]) & mask);
}

std::vector<IpNetwork> parse_networks(std::string_view text, std::vector<std::string>* bad) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), ',', ' ');
    std::vector<IpNetwork> networks;
    for (std::string_view word : split_words(spaced)) {
        if (auto network = IpNetwork::parse(word)) networks.push_back(*network);
        else if (bad) bad->emplace_back(word);
    }
    return networks;
}

}  // namespace culver
