#include "lib-net/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace culver {
namespace {

socklen_t fill(sockaddr_storage& storage, const IpAddress& address, std::uint16_t port) {
    storage = {};
    if (address.is_ipv6()) {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
        return sizeof v6;
    }
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), 4);
    return sizeof v4;
}

void switch_on(int fd, int level, int option) {
    const int on = 1;
    ::setsockopt(fd, level, option, &on, sizeof on);
}

}  // namespace

Result<UniqueFd> start_connecting(const IpAddress& address, std::uint16_t port,
                                  const std::optional<IpAddress>& source) {
    const int family = address.is_ipv6() ? AF_INET6 : AF_INET;
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(Error::from_errno(errno, "socket"));
    switch_on(fd.get(), IPPROTO_TCP, TCP_NODELAY);
    switch_on(fd.get(), SOL_SOCKET, SO_KEEPALIVE);
    sockaddr_storage storage;
    if (source) {
        // Without this each connection would need a port that no other one has, whatever its destination.
        switch_on(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        const socklen_t length = fill(storage, *source, 0);
        if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0)
            return fail(Error::from_errno(errno, "bind(" + source->to_string() + ")"));
    }
    const socklen_t length = fill(storage, address, port);
    int result;
    do result = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length);
    while (result != 0 && errno == EINTR);
    if (result == 0 || errno == EINPROGRESS || errno == EALREADY) return fd;
    return fail(Error::from_errno(errno, "connect"));
}

Status finish_connecting(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) return fail(Error::from_errno(error, "connect"));
    return {};
}

bool is_own_address(const IpAddress& address) {
    UniqueFd fd(::socket(address.is_ipv6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length = fill(storage, address, 0);
    return fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0;
}

std::optional<Endpoint> local_endpoint(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
    auto address = IpAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
    if (!address) return std::nullopt;
    const in_port_t port = storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                                         : reinterpret_cast<sockaddr_in&>(storage).sin_port;
    return Endpoint{*address, ntohs(port)};
}

}  // namespace culver
