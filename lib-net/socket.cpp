#include "lib-net/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "lib-base/assert.h"
#include "lib-net/unix-address.h"

namespace culver {
namespace {

constexpr std::size_t kMaxDescriptors = 16;

int type_flags(Blocking blocking) { return SOCK_CLOEXEC | (blocking == Blocking::No ? SOCK_NONBLOCK : 0); }

void wait_writable(int fd) {
    pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
    ::poll(&entry, 1, -1);
}

// The rest of a stream message, behind the byte that carried the descriptors.
Status send_rest(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            wait_writable(socket);
            continue;
        }
        if (n < 0) return fail_errno("send");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

}  // namespace

Result<UniqueFd> connect_unix(const std::string& path, Blocking blocking) {
    auto address = TRY(UnixAddress::of(path));
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | type_flags(blocking), 0));
    if (!fd) return fail_errno("socket");
    // UNIX sockets connect at once or fail; EAGAIN means that the listener's backlog is full.
    while (::connect(fd.get(), address.get(), address.length()) != 0) {
        if (errno == EINTR) continue;
        Error error = Error::from_errno(errno, "connect(" + path + ")");
        if (errno == ECONNREFUSED || errno == EAGAIN) error.code = ErrorCode::Unavailable;
        return fail(std::move(error));
    }
    return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type, Blocking blocking) {
    int fds[2];
    if (::socketpair(AF_UNIX, type | type_flags(blocking), 0, fds) != 0) return fail_errno("socketpair");
    return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<PeerCredentials> peer_credentials(int fd) {
    ucred credentials;
    socklen_t length = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return fail_errno("getsockopt(SO_PEERCRED)");
    return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds) {
    ASSERT(!bytes.empty() && fds.size() <= kMaxDescriptors);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
    iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    for (;;) {
        ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (n >= 0) return send_rest(socket, bytes.substr(static_cast<std::size_t>(n)));
        if (errno == EINTR) continue;
        Error error = Error::from_errno(errno, "sendmsg");
        if (errno == EAGAIN) error.code = ErrorCode::Unavailable;
        return fail(std::move(error));
    }
}

Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit) {
    ReceivedMessage result;
    result.bytes.resize(limit);
    ReceivedInto received = TRY(receive_into(socket, result.bytes));
    result.bytes.resize(received.size);
    result.fds = std::move(received.fds);
    return result;
}

Result<ReceivedInto> receive_into(int socket, std::span<char> buffer) {
    ReceivedInto result;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n;
    do n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        Error error = Error::from_errno(errno, "recvmsg");
        if (errno == EAGAIN) error.code = ErrorCode::Unavailable;
        return fail(std::move(error));
    }
    // What does not fit into `control` is closed by the kernel.
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            result.fds.emplace_back(fd);
        }
    }
    result.size = static_cast<std::size_t>(n);
    if (message.msg_flags & MSG_TRUNC)
        return fail(ErrorCode::Limit, "a message of more than " + std::to_string(buffer.size()) + " bytes");
    return result;
}

Status set_blocking(int fd, Blocking blocking) {
    int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return fail_errno("fcntl(F_GETFL)");
    flags = blocking == Blocking::Yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (::fcntl(fd, F_SETFL, flags) != 0) return fail_errno("fcntl(F_SETFL)");
    return {};
}

}  // namespace culver
