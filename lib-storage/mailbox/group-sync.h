// GroupSync: callers that need the same fsync at the same time share one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "lib-base/result.h"

namespace culver {

class GroupSync {
public:
    // Returns after a run of `sync` that began after this call; runs it itself unless another caller does.
    Status run(const std::function<Status()>& sync);

private:
    std::mutex mutex_;  // guards everything below
    std::condition_variable done_;
    bool running_ = false;
    std::uint64_t requested_ = 0, completed_ = 0;
    std::uint64_t failed_up_to_ = 0;  // the last round that failed ended with this request
    std::uint64_t failed_from_ = 0;
    Error failure_;
};

}  // namespace culver
