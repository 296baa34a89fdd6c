// SlowWork: what would hold up the event loop, on threads. Hashing has one thread a core; each database that waits for
// somebody else has a lane, threads and a queue of its own, so that one that hangs holds up nobody but its own users.
//
// Who comes first is decided by FairQueue, how many guesses of one address are compared at once by GuessGate. All calls
// on the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "authd/guess-gate.h"
#include "authd/thread-pool.h"
#include "lib-auth/keyed-hash.h"
#include "lib-auth/known-logins.h"
#include "lib-auth/passdb.h"
#include "lib-auth/penalty.h"
#include "lib-net/event-loop.h"

namespace culver {

// On whose behalf a job runs.
struct JobOrigin {
    // Guess: a login that may be wrong, held back by penalties. TrustedGuess: without them (no-penalty). Lookup: asked
    // by a server program about a user who is known or has logged in.
    enum class Kind { Guess, TrustedGuess, Lookup } kind = Kind::Lookup;
    std::string remote_ip, user;
    std::string lane;  // of Blocking work: which database is asked
};

class SlowWork {
public:
    // All three outlive it.
    SlowWork(EventLoop& loop, PenaltyBox& penalties, const KnownLogins& known);
    ~SlowWork();

    // Threads of a lane that is made from now on (auth_worker_max_count).
    void set_lane_threads(std::size_t threads);
    // Runs `job` on a thread and then `done` on the loop. False: overloaded, none of the three will run. A guess that
    // had to wait can lose its place later: then `refused` runs, on the loop, and neither of the others does.
    bool run(Work work, JobOrigin origin, std::function<void()> job, std::function<void()> done,
             std::function<void()> refused);

private:
    struct Task;
    using TaskPtr = std::shared_ptr<Task>;  // shared by the queue it waits in and the loop it comes back to

    bool submit(const TaskPtr& task);
    void end(const TaskPtr& task, bool ran);
    ThreadPool& pool_for(const Task& task);
    void drop_idle_lanes();
    void complain();

    EventLoop& loop_;
    PenaltyBox& penalties_;
    const KnownLogins& known_;
    KeyedHash hash_;
    GuessGate gate_;
    std::size_t lane_threads_ = 30;
    ThreadPool cpu_pool_;
    std::map<std::string, std::unique_ptr<ThreadPool>> lanes_;
    EventLoop::Clock::time_point complained_{};
};

}  // namespace culver
