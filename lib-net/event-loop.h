// EventLoop: one thread, many file descriptors, timers (epoll, level-triggered).
//
// Everything is called on the thread that runs the loop, except `post` and `stop`, which any thread may call.
// A callback may add and remove watches and timers, its own included.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "lib-base/unique-fd.h"

namespace culver {

enum class Interest { Read, Write, ReadWrite, None };

struct Ready {
    bool readable = false;
    bool writable = false;
    bool hangup = false;  // EPOLLHUP or EPOLLERR; readable is set too, so that a plain read finds out
};

class EventLoop {
public:
    using Clock = std::chrono::steady_clock;
    using TimerId = std::uint64_t;

    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Calls `callback` whenever `fd` is ready. The fd stays the caller's; unwatch before closing it.
    void watch(int fd, Interest interest, std::function<void(Ready)> callback);
    void set_interest(int fd, Interest interest);
    void unwatch(int fd);

    // Once, after `delay`. Timers that are due together run in the order of their times.
    TimerId after(std::chrono::milliseconds delay, std::function<void()> callback);
    // Harmless for an id that has run or was cancelled.
    void cancel(TimerId id);

    // From any thread: run `task` on the loop's thread soon, in the order of the posts.
    void post(std::function<void()> task);

    // Runs until stop().
    void run();
    void stop();

private:
    struct Watch;

    void wake();
    int run_due_timers();
    void run_posted();

    UniqueFd epoll_;
    UniqueFd wake_fd_;
    std::unordered_map<int, std::shared_ptr<Watch>> watches_;  // shared with a callback that is running
    std::map<std::pair<Clock::time_point, TimerId>, std::function<void()>> timers_;
    std::unordered_map<TimerId, Clock::time_point> timer_times_;
    TimerId next_timer_ = 1;
    bool stopping_ = false;
    std::mutex posted_mutex_;  // guards posted_
    std::vector<std::function<void()>> posted_;
};

}  // namespace culver
