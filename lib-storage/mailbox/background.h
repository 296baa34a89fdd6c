// Background: what a process does for its mailboxes besides answering: writing out file names and caches a moment after
// the change, and listening to the kernel (inotify) for changes by others. One per MailboxCache; two threads at the
// most, started when they are first needed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib-base/unique-fd.h"

namespace culver {

// What the background calls; implemented by MailboxImpl.
class BackgroundClient {
public:
    virtual ~BackgroundClient() = default;
    // Writes out what is due. Returns in how long it wants to be called again; zero or less = no more work.
    virtual std::chrono::milliseconds flush() = 0;
    // A watched directory changed.
    virtual void on_directory_event() = 0;
    // True if an event for this name in watched directory number `which` may matter.
    virtual bool is_interesting(int which, std::string_view name) const = 0;
};

class Background {
public:
    Background() = default;
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    // Ends the threads and flushes what is scheduled. Afterwards nothing is scheduled or watched any more: what is left
    // to do stands in the index logs. Must be called before the last reference goes (a client may hold one).
    void stop();

    // `client` stays alive until it was flushed. An earlier time wins.
    void schedule(std::shared_ptr<BackgroundClient> client, std::chrono::milliseconds delay);
    // Flushes everything that is scheduled, now, in this thread.
    void flush_all();

    // Reports changes in `directories` until unwatch. False if the kernel gives no more watches (then only refresh
    // helps).
    bool watch(std::weak_ptr<BackgroundClient> client, const std::vector<std::string>& directories);
    void unwatch(const BackgroundClient* client);

private:
    using Clock = std::chrono::steady_clock;
    struct Watch {
        std::weak_ptr<BackgroundClient> client;
        const BackgroundClient* key = nullptr;
        int which = 0;
    };

    void run_flusher();
    void run_watcher();
    void handle_events(const char* buffer, std::size_t size);
    bool start_watcher();

    std::mutex mutex_;  // guards everything below
    std::condition_variable wake_;
    std::map<std::shared_ptr<BackgroundClient>, Clock::time_point> due_;
    bool stopping_ = false;
    std::thread flusher_;

    std::mutex watch_mutex_;  // guards everything below; never held while a client is called
    bool watch_stopped_ = false;
    UniqueFd inotify_, stop_;
    std::multimap<int, Watch> watches_;  // by watch descriptor
    std::thread watcher_;
};

}  // namespace culver
