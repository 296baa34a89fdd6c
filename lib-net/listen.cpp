#include "lib-net/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib-net/socket.h"
#include "lib-net/unix-address.h"

namespace culver {
namespace {

constexpr int kBacklog = 1024;

union AnyAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

socklen_t fill(AnyAddress& out, const IpAddress& address, std::uint16_t port) {
    std::memset(&out, 0, sizeof out);
    if (address.is_ipv6()) {
        out.v6.sin6_family = AF_INET6;
        out.v6.sin6_port = htons(port);
        std::memcpy(&out.v6.sin6_addr, address.bytes().data(), 16);
        return sizeof out.v6;
    }
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(port);
    std::memcpy(&out.v4.sin_addr, address.bytes().data(), 4);
    return sizeof out.v4;
}

std::uint16_t port_of(const AnyAddress& address) {
    if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
    if (address.any.sa_family == AF_INET6) return ntohs(address.v6.sin6_port);
    return 0;
}

// Makes room for a new socket: a dead one is removed, anything else stays and is an error.
Status remove_dead_socket(const std::string& path) {
    struct stat st;
    if (::lstat(path.c_str(), &st) != 0) {
        if (errno == ENOENT) return {};
        return fail_errno("lstat(" + path + ")");
    }
    if (!S_ISSOCK(st.st_mode))
        return fail(ErrorCode::AlreadyExists, path +
                                                  " exists and is not a socket: it is left alone, remove it or "
                                                  "give the listener another name");
    auto connection = connect_unix(path, Blocking::No);
    if (connection || connection.error().code != ErrorCode::Unavailable)
        return fail(ErrorCode::InUse, path + ": another process is already listening there");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink(" + path + ")");
    return {};
}

}  // namespace

Status set_owner(const std::string& path, const SocketFileOwner& owner) {
    UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat st;
    if (!file || ::fstat(file.get(), &st) != 0) return fail_errno("open(" + path + ")");
    if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode))
        return fail(ErrorCode::AlreadyExists, path + " is neither a socket nor a FIFO: it is left alone");
    const uid_t uid = owner.uid != static_cast<uid_t>(-1) ? owner.uid : ::geteuid();
    const gid_t gid = owner.gid != static_cast<gid_t>(-1) ? owner.gid : ::getegid();
    if ((st.st_uid != uid || st.st_gid != gid) && ::fchownat(file.get(), "", uid, gid, AT_EMPTY_PATH) != 0)
        return fail_errno("chown(" + path + ")");
    const std::string itself = "/proc/self/fd/" + std::to_string(file.get());  // fchmod(2) refuses O_PATH
    if (::chmod(itself.c_str(), owner.mode) != 0) return fail_errno("chmod(" + path + ")");
    return {};
}

Result<UniqueFd> listen_inet(const IpAddress& address, std::uint16_t port, SharePort share) {
    const std::string what = "(" + address.to_string() + ", " + std::to_string(port) + ")";
    AnyAddress target;
    const socklen_t length = fill(target, address, port);
    UniqueFd fd(::socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        const int error = errno;
        Error result = Error::from_errno(error, "socket" + what);
        if (error == EAFNOSUPPORT) result.code = ErrorCode::Unsupported;
        return fail(std::move(result));
    }
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share == SharePort::Yes) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.is_ipv6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(fd.get(), &target.any, length) != 0 || ::listen(fd.get(), kBacklog) != 0) {
        const int error = errno;
        Error result = Error::from_errno(error, "bind" + what);
        if (error == EADDRINUSE) result.code = ErrorCode::InUse;
        if (error == EADDRNOTAVAIL) result.code = ErrorCode::Unsupported;
        return fail(std::move(result));
    }
    return fd;
}

Result<UniqueFd> listen_unix(const std::string& path, const SocketFileOwner& owner) {
    TRY(remove_dead_socket(path));
    auto address = TRY(UnixAddress::of(path));
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno("socket");
    const mode_t saved = ::umask(0177);
    const int bound = ::bind(fd.get(), address.get(), address.length());
    const int error = errno;
    ::umask(saved);
    if (bound != 0) return fail(Error::from_errno(error, "bind(" + path + ")"));
    // Until listen(2), a connect is refused: owner and mode are right before the first client.
    Status status = set_owner(path, owner);
    if (status && ::listen(fd.get(), kBacklog) != 0) status = fail_errno("listen(" + path + ")");
    if (!status) {
        ::unlink(path.c_str());
        return fail(std::move(status).error());
    }
    return fd;
}

Result<UniqueFd> open_fifo(const std::string& path, const SocketFileOwner& owner) {
    if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) return fail_errno("mkfifo(" + path + ")");
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return fail_errno("open(" + path + ")");
    struct stat st;
    if (::fstat(fd.get(), &st) != 0) return fail_errno("fstat(" + path + ")");
    if (!S_ISFIFO(st.st_mode))
        return fail(ErrorCode::AlreadyExists, path + " exists and is not a FIFO: it is left alone");
    TRY(set_owner(path, owner));
    return fd;
}

Result<Accepted> accept_connection(int listener) {
    AnyAddress peer{}, local{};
    socklen_t length = sizeof peer;
    UniqueFd fd(::accept4(listener, &peer.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
        const int error = errno;
        Error result = Error::from_errno(error, "accept");
        // EINVAL: the master has shut the listener down, and will say so.
        if (error == EAGAIN || error == ECONNABORTED || error == EINTR || error == EINVAL)
            result.code = ErrorCode::Unavailable;
        return fail(std::move(result));
    }
    Accepted accepted;
    if (peer.any.sa_family == AF_INET || peer.any.sa_family == AF_INET6) {
        length = sizeof local;
        if (::getsockname(fd.get(), &local.any, &length) != 0) return fail_errno("getsockname");
        accepted.local = IpAddress::from_sockaddr(&local.any);
        accepted.remote = IpAddress::from_sockaddr(&peer.any);
        accepted.local_port = port_of(local);
        accepted.remote_port = port_of(peer);
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    accepted.fd = std::move(fd);
    return accepted;
}

}  // namespace culver
