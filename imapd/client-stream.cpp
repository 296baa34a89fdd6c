#include "imapd/client-stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace culver {
namespace {

using Clock = std::chrono::steady_clock;

// A client that reads nothing for so long is gone (Dovecot's CLIENT_OUTPUT_TIMEOUT).
constexpr std::chrono::minutes kOutputTimeout{5};
constexpr std::size_t kReadSize = 16 * 1024;

}  // namespace

ClientStream::ClientStream(UniqueFd fd, BlockingObserver* observer) : fd_(std::move(fd)), observer_(observer) {}

bool ClientStream::flush() {
    const bool sent = send_all(out_, {});
    out_.clear();
    return sent;
}

bool ClientStream::write_through(std::string_view bytes) {
    if (out_.size() + bytes.size() < kFlushSize) {
        out_.append(bytes);
        return !is_gone();
    }
    const bool sent = send_all(out_, bytes);
    out_.clear();
    return sent;
}

bool ClientStream::send_all(std::string_view first, std::string_view second) {
    while (!is_gone() && !(first.empty() && second.empty())) {
        iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                          {const_cast<char*>(second.data()), second.size()}};
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes_out_ += static_cast<std::uint64_t>(sent);
            const std::size_t of_first = std::min(static_cast<std::size_t>(sent), first.size());
            first.remove_prefix(of_first);
            second.remove_prefix(static_cast<std::size_t>(sent) - of_first);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(POLLOUT, kOutputTimeout) && !is_gone()) gone_ = Gone::OutputTimeout;
        } else if (errno != EINTR) {
            fail_with(errno);
        }
    }
    return !is_gone();
}

// True when the socket is ready or broken (the next call finds out), false after the timeout.
bool ClientStream::wait_for(short events, std::chrono::milliseconds timeout) {
    const auto begin = Clock::now();
    if (observer_) observer_->begin_blocking();
    pollfd wanted{fd_.get(), events, 0};
    int ready;
    do {
        const auto left = timeout - std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        ready = ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    } while (ready < 0 && errno == EINTR);
    if (observer_) observer_->end_blocking();
    waited_ += Clock::now() - begin;
    return ready != 0;
}

void ClientStream::fail_with(int error_number) {
    if (is_gone()) return;
    gone_ = error_number == 0 ? Gone::Closed : Gone::Error;
    if (error_number != 0) gone_reason_ = std::strerror(error_number);
}

void ClientStream::consume(std::size_t size) {
    in_begin_ += size;
    if (in_begin_ >= in_.size()) {
        in_.clear();
        in_begin_ = 0;
    } else if (in_begin_ >= kReadSize && in_begin_ >= in_.size() / 2) {
        in_.erase(0, in_begin_);
        in_begin_ = 0;
    }
}

void ClientStream::prepend_input(std::string bytes) {
    bytes_in_ += bytes.size();
    bytes.append(input());
    in_ = std::move(bytes);
    in_begin_ = 0;
}

bool ClientStream::read_available(std::size_t limit) {
    if (is_gone() || input().size() >= limit) return false;
    thread_local char chunk[kReadSize];
    const std::size_t room = std::min(sizeof chunk, limit - input().size());
    ssize_t got;
    do got = ::recv(fd_.get(), chunk, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        in_.append(chunk, static_cast<std::size_t>(got));
        bytes_in_ += static_cast<std::uint64_t>(got);
        return true;
    }
    if (got == 0) fail_with(0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK) fail_with(errno);
    return false;
}

// A client that sends a literal and the rest of its command in two writes (Python's imaplib) keeps the second back
// until the first is acknowledged, and the kernel delays that by 40 ms unless told otherwise.
void ClientStream::acknowledge_at_once() {
    const int on = 1;
    (void)::setsockopt(fd_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool ClientStream::read_blocking(std::size_t limit, std::chrono::milliseconds timeout) {
    while (!is_gone()) {
        if (read_available(limit)) return true;
        if (is_gone()) break;
        acknowledge_at_once();
        if (!wait_for(POLLIN, timeout)) gone_ = Gone::InputTimeout;
    }
    return false;
}

void ClientStream::park() {
    if (in_begin_ > 0) {
        in_.erase(0, in_begin_);
        in_begin_ = 0;
    }
    in_.shrink_to_fit();
    std::string().swap(out_);
}

std::chrono::nanoseconds ClientStream::take_waited() { return std::exchange(waited_, std::chrono::nanoseconds(0)); }

}  // namespace culver
