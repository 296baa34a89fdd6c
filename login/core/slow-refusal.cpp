#include "login/core/slow-refusal.h"

#include <sys/socket.h>

#include <utility>

namespace culver {

void SlowRefusal::add(UniqueFd fd, Manner manner, Clock::time_point now) {
    waiting_.push_back({std::move(fd), manner, now + options_.time});
    while (waiting_.size() > options_.limit) close_first();
}

std::optional<SlowRefusal::Clock::time_point> SlowRefusal::next() const {
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().due);
}

void SlowRefusal::close_due(Clock::time_point now) {
    while (!waiting_.empty() && waiting_.front().due <= now) close_first();
}

void SlowRefusal::close_all() {
    while (!waiting_.empty()) close_first();
}

void SlowRefusal::close_first() {
    const Refused refused = std::move(waiting_.front());
    waiting_.pop_front();
    const int fd = refused.fd.get();
    if (refused.manner == Manner::Silent || last_words_.empty()) return;
    // A fresh connection takes one line at once, or it is not worth more. What the client has sent is read, in part,
    // for otherwise a reset would take the words away from it.
    if (::send(fd, last_words_.data(), last_words_.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
    ::shutdown(fd, SHUT_WR);
    char unread[4096];
    for (int i = 0; i < 16 && ::recv(fd, unread, sizeof unread, MSG_DONTWAIT) == sizeof unread; ++i) {
    }
}

}  // namespace culver
