// PAM as a module that hangs, or /etc/shadow behind a directory service that does.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "lib-auth/passdb.h"

namespace culver {

// Every question waits until release(); then `answer` is what each gets. Thread-safe.
class HungPam : public PamBackend {
public:
    Result<PamAnswer> authenticate(const PamCall& call) override {
        std::unique_lock lock(mutex_);
        ++asked_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return released_; });
        return answer(call);
    }
    void release() {
        std::lock_guard lock(mutex_);
        released_ = true;
        changed_.notify_all();
    }
    void wait_for_questions(int count) {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return asked_ >= count; }));
    }
    int asked() {
        std::lock_guard lock(mutex_);
        return asked_;
    }

private:
    // Unless a test says otherwise, every password is right.
    virtual PamAnswer answer(const PamCall&) {
        PamAnswer right;
        right.verdict = Verdict::Match;
        return right;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool released_ = false;
    int asked_ = 0;
};

}  // namespace culver
