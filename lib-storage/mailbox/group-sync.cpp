#include "lib-storage/mailbox/group-sync.h"

namespace culver {

Status GroupSync::run(const std::function<Status()>& sync) {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = ++requested_;
    while (completed_ < mine) {
        if (running_) {
            done_.wait(lock);
            continue;
        }
        running_ = true;
        const std::uint64_t from = completed_, target = requested_;
        lock.unlock();
        Status status = sync();
        lock.lock();
        running_ = false;
        completed_ = target;
        if (!status) {
            failed_from_ = from;
            failed_up_to_ = target;
            failure_ = status.error();
        }
        done_.notify_all();
        if (target >= mine && from < mine) return status;
    }
    // A round that another caller ran. Kept only for the last failure: an older one was seen by nobody who waited long.
    if (mine > failed_from_ && mine <= failed_up_to_) return fail(failure_);
    return {};
}

}  // namespace culver
