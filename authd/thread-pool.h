// ThreadPool: a bounded number of threads for work that would hold up the event loop, behind a bounded queue.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace culver {

class ThreadPool {
public:
    // Threads start when there is work for them.
    ThreadPool(std::size_t threads, std::size_t queue_limit) : thread_limit_(threads), queue_limit_(queue_limit) {}
    // Waits for what runs; drops what waits.
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // False if the queue is full or no thread can be started: the caller answers "temporary failure".
    bool submit(std::function<void()> task);

private:
    static void* run(void* self);
    void work();

    const std::size_t thread_limit_, queue_limit_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    std::vector<pthread_t> threads_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
};

}  // namespace culver
