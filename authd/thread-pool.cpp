#include "authd/thread-pool.h"

#include <sys/resource.h>

namespace culver {

namespace {
// Databases and hashes keep their large buffers on the heap; 8 MiB of default stack would eat a vsz_limit of 256 MiB.
constexpr std::size_t kStackSize = 512 * 1024;
constexpr int kLowPriority = 5;
}  // namespace

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        queue_.clear();
    }
    changed_.notify_all();
    for (pthread_t thread : threads_) ::pthread_join(thread, nullptr);
}

void ThreadPool::add_thread() {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStackSize);
    pthread_t thread;
    if (::pthread_create(&thread, &attributes, run, this) == 0) threads_.push_back(thread);
    ::pthread_attr_destroy(&attributes);
}

FairQueue::Pushed ThreadPool::submit(std::uint64_t network, Standing standing, FairQueue::Job job) {
    std::lock_guard lock(mutex_);
    if (idle_ <= queue_.size() && threads_.size() < thread_limit_) add_thread();
    if (threads_.empty()) return {};
    auto pushed = queue_.push(network, standing, std::move(job));
    changed_.notify_one();
    return pushed;
}

bool ThreadPool::is_idle() {
    std::lock_guard lock(mutex_);
    return queue_.empty() && idle_ == threads_.size();
}

void* ThreadPool::run(void* self) {
    static_cast<ThreadPool*>(self)->work();
    return nullptr;
}

void ThreadPool::work() {
    // On Linux a nice value is a thread's own.
    if (priority_ == Priority::Low) ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kLowPriority);
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (stopping_) return;
        auto job = queue_.pop();
        lock.unlock();
        job->run();
        job.reset();
        lock.lock();
    }
}

}  // namespace culver
