#include "imapd/admin-sockets.h"

#include <sys/socket.h>

#include <cerrno>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver {
namespace {

constexpr std::size_t kRequestLimit = 4 << 20;  // some 200,000 numbers

}  // namespace

AdminSockets::~AdminSockets() {
    for (const auto& [fd, request] : requests_) loop_.unwatch(fd);
}

bool AdminSockets::take(std::string_view listener, UniqueFd& peer) {
    if (listener.ends_with("imap-sessions")) {
        send_list(std::move(peer));
        return true;
    }
    if (!listener.ends_with("imap-kick")) return false;
    const int fd = peer.get();
    requests_[fd].peer = std::move(peer);
    loop_.watch(fd, Interest::Read, [this, fd](Ready) { read_request(fd); });
    return true;
}

// Written in blocking mode with a short limit: the peer is doveadm, run by the admin.
void AdminSockets::send_list(UniqueFd peer) {
    const std::string lines = sessions_.lines();
    if (!set_blocking(peer.get(), Blocking::Yes)) return;
    const timeval limit{2, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    std::string_view rest = lines;
    while (!rest.empty()) {
        const ssize_t sent = ::send(peer.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// Until the peer has said all: a number per line, then the end of its side.
void AdminSockets::read_request(int fd) {
    Request& request = requests_.at(fd);
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0 && request.text.size() < kRequestLimit)
        return static_cast<void>(request.text.append(buffer, static_cast<std::size_t>(n)));
    if (n == 0) {
        const std::string answer = std::to_string(end_sessions(request.text)) + "\n";
        (void)!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    loop_.unwatch(fd);
    requests_.erase(fd);
}

std::size_t AdminSockets::end_sessions(std::string_view numbers) {
    std::size_t asked = 0;
    for (std::string_view line : split(numbers, '\n')) {
        const auto id = parse_uint64(line);
        const pid_t pid = id ? sessions_.pid_of(*id) : 0;
        if (pid == 0) continue;
        end_(*id, pid);
        ++asked;
    }
    return asked;
}

}  // namespace culver
