#include "lib-net/event-loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/assert.h"

namespace culver {

struct EventLoop::Watch {
    int fd;
    bool alive = true;
    std::function<void(Ready)> callback;
};

namespace {
std::uint32_t epoll_events(Interest interest) {
    switch (interest) {
        case Interest::Read: return EPOLLIN;
        case Interest::Write: return EPOLLOUT;
        case Interest::ReadWrite: return EPOLLIN | EPOLLOUT;
        case Interest::None: return 0;
    }
    return 0;
}
}  // namespace

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    ASSERT(epoll_ && wake_fd_);
    watch(wake_fd_.get(), Interest::Read, [this](Ready) {
        std::uint64_t count;
        while (::read(wake_fd_.get(), &count, sizeof count) > 0) {
        }
    });
}

EventLoop::~EventLoop() = default;

void EventLoop::watch(int fd, Interest interest, std::function<void(Ready)> callback) {
    ASSERT(!watches_.contains(fd));
    watches_[fd] = std::make_shared<Watch>(Watch{fd, true, std::move(callback)});
    epoll_event event{.events = epoll_events(interest), .data = {.fd = fd}};
    ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void EventLoop::set_interest(int fd, Interest interest) {
    epoll_event event{.events = epoll_events(interest), .data = {.fd = fd}};
    ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
    auto it = watches_.find(fd);
    if (it == watches_.end()) return;
    it->second->alive = false;
    watches_.erase(it);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::after(std::chrono::milliseconds delay, std::function<void()> callback) {
    TimerId id = next_timer_++;
    auto when = Clock::now() + delay;
    timers_.emplace(std::pair(when, id), std::move(callback));
    timer_times_.emplace(id, when);
    return id;
}

void EventLoop::cancel(TimerId id) {
    auto it = timer_times_.find(id);
    if (it == timer_times_.end()) return;
    timers_.erase({it->second, id});
    timer_times_.erase(it);
}

void EventLoop::post(std::function<void()> task) {
    {
        std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(task));
    }
    wake();
}

void EventLoop::wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(wake_fd_.get(), &one, sizeof one);
}

// Runs what is due; returns the milliseconds until the next timer, -1 for none.
int EventLoop::run_due_timers() {
    auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto node = timers_.extract(timers_.begin());
        timer_times_.erase(node.key().second);
        node.mapped()();
    }
    if (timers_.empty()) return -1;
    auto wait = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(wait, 0, 60'000));
}

void EventLoop::run_posted() {
    std::vector<std::function<void()>> tasks;
    {
        std::lock_guard lock(posted_mutex_);
        tasks.swap(posted_);
    }
    for (auto& task : tasks) task();
}

void EventLoop::run() {
    epoll_event events[64];
    while (!stopping_) {
        int timeout = run_due_timers();
        if (stopping_) break;
        int count = ::epoll_wait(epoll_.get(), events, 64, timeout);
        if (count < 0 && errno != EINTR) ASSERT(!"epoll_wait failed");
        // Held while the batch runs: a callback may remove another's watch whose event is still in the batch.
        std::vector<std::pair<std::shared_ptr<Watch>, Ready>> batch;
        for (int i = 0; i < count; ++i) {
            auto it = watches_.find(events[i].data.fd);
            if (it == watches_.end()) continue;
            bool hangup = events[i].events & (EPOLLHUP | EPOLLERR);
            batch.emplace_back(it->second, Ready{.readable = (events[i].events & EPOLLIN) || hangup,
                                                 .writable = bool(events[i].events & EPOLLOUT),
                                                 .hangup = hangup});
        }
        for (auto& [watch, ready] : batch)
            if (watch->alive) watch->callback(ready);
        run_posted();
    }
    stopping_ = false;
}

void EventLoop::stop() {
    post([this] { stopping_ = true; });
}

}  // namespace culver
