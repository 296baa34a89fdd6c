#include "authd/thread-pool.h"

namespace culver {

namespace {
// Databases and hashes keep their large buffers on the heap; 8 MiB of default stack would eat a vsz_limit of 256 MiB.
constexpr std::size_t kStackSize = 512 * 1024;
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        queue_.clear();
    }
    changed_.notify_all();
    for (pthread_t thread : threads_) ::pthread_join(thread, nullptr);
}

bool ThreadPool::submit(std::function<void()> task) {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_limit_) return false;
    if (idle_ <= queue_.size() && threads_.size() < thread_limit_) {
        pthread_attr_t attributes;
        ::pthread_attr_init(&attributes);
        ::pthread_attr_setstacksize(&attributes, kStackSize);
        pthread_t thread;
        if (::pthread_create(&thread, &attributes, run, this) == 0) threads_.push_back(thread);
        ::pthread_attr_destroy(&attributes);
    }
    if (threads_.empty()) return false;
    queue_.push_back(std::move(task));
    changed_.notify_one();
    return true;
}

void* ThreadPool::run(void* self) {
    static_cast<ThreadPool*>(self)->work();
    return nullptr;
}

void ThreadPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (stopping_) return;
        auto task = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        task();
        task = nullptr;
        lock.lock();
    }
}

}  // namespace culver
