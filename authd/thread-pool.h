// ThreadPool: a bounded number of threads for work that would hold up the event loop, behind a bounded fair queue.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "authd/fair-queue.h"

namespace culver {

class ThreadPool {
public:
    // Whether its threads step back when the event loop, or anything else on the machine, wants the core.
    enum class Priority { Normal, Low };

    // Threads start when there is work for them.
    ThreadPool(std::size_t threads, FairQueue::Limits limits, Priority priority = Priority::Normal)
        : thread_limit_(threads), priority_(priority), queue_(limits) {}
    // Waits for what runs; drops what waits.
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // As FairQueue::push; nothing is accepted either if no thread can be started.
    FairQueue::Pushed submit(std::uint64_t network, Standing standing, FairQueue::Job job);
    // Nothing waits and nothing runs.
    bool is_idle();

private:
    static void* run(void* self);
    void work();
    void add_thread();

    const std::size_t thread_limit_;
    const Priority priority_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable changed_;
    FairQueue queue_;
    std::vector<pthread_t> threads_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
};

}  // namespace culver
