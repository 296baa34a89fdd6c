// SessionPool: all sessions of a worker wait in one epoll set, each armed for one event; a few threads wait on that
// set. A thread that gets a session works on it in plain blocking code until there is nothing to do, arms it again and
// takes the next. A thread that has to wait for a slow client is replaced meanwhile, so that nobody else waits for that
// client.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "imapd/client-stream.h"
#include "imapd/imap-session.h"
#include "lib-base/unique-fd.h"

namespace culver {

class SessionPool final : public BlockingObserver {
public:
    // `threads`: how many work at the same time. `on_end` is called by a pool thread when a session is over and
    // destroyed, with the id that add() was given.
    SessionPool(unsigned threads, std::function<void(std::uint64_t id)> on_end);
    // Sessions still there are dropped without a word; call stop() first.
    ~SessionPool();

    // Any thread. Ids are never used twice.
    void add(std::uint64_t id, UniqueFd client, SessionStart start);
    // Asks every session, or one, to say goodbye.
    void stop();
    void end(std::uint64_t id);
    std::size_t size() const;
    // Waits until no session is left, at most so long. True: none.
    bool wait_until_empty(std::chrono::milliseconds timeout);

    // Wakes the sessions whose time has come; returns when it has to be called again. Called by one thread only.
    // `on_earlier` (set once, before the first add) is called by pool threads when a deadline comes before that.
    std::chrono::steady_clock::time_point wake_due();
    void set_on_earlier(std::function<void()> callback) { on_earlier_ = std::move(callback); }

    void begin_blocking() override;
    void end_blocking() override;

private:
    struct Entry;
    class Waker;

    void run_thread();
    void start_thread_if_needed();
    void handle(std::uint64_t id);
    std::shared_ptr<Entry> find(std::uint64_t id);
    void arm(Entry& entry, std::uint32_t events);
    void wake(Entry& entry);
    void say_goodbye(Entry& entry);
    void finish(const std::shared_ptr<Entry>& entry);

    const unsigned threads_;
    const std::function<void(std::uint64_t)> on_end_;
    std::function<void()> on_earlier_;
    UniqueFd epoll_, stop_event_;

    mutable std::mutex entries_mutex_;  // guards entries_
    std::condition_variable empty_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Entry>> entries_;  // shared with threads at work and with wakers
    std::atomic<std::int64_t> next_wake_;  // steady clock, nanoseconds: what wake_due() returned last

    std::mutex threads_mutex_;  // guards the counters below
    std::condition_variable thread_gone_;
    unsigned total_ = 0, waiting_ = 0, blocked_ = 0;
    bool stopping_ = false;
};

}  // namespace culver
