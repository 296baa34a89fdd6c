#include "authd/slow-work.h"

#include <algorithm>
#include <thread>

#include "lib-auth/client-network.h"
#include "lib-base/log.h"

namespace culver {

namespace {
constexpr FairQueue::Limits kCpuQueue{4096, 256}, kLaneQueue{1024, 128};
constexpr std::size_t kLaneThreadLimit = 64, kLaneLimit = 64;

std::size_t core_count() { return std::max(1u, std::thread::hardware_concurrency()); }
// Enough to keep all cores busy from one address, and few enough to be no attack.
std::size_t guesses_at_once() { return std::max<std::size_t>(8, 4 * core_count()); }
}  // namespace

struct SlowWork::Task {
    Work work;
    JobOrigin origin;
    std::function<void()> job, done, refused;
    bool is_guess() const { return origin.kind == JobOrigin::Kind::Guess; }
};

SlowWork::SlowWork(EventLoop& loop, PenaltyBox& penalties, const KnownLogins& known)
    : loop_(loop),
      penalties_(penalties),
      known_(known),
      gate_(loop, penalties, guesses_at_once()),
      cpu_pool_(core_count(), kCpuQueue, ThreadPool::Priority::Low) {}

SlowWork::~SlowWork() = default;

void SlowWork::set_lane_threads(std::size_t threads) {
    lane_threads_ = std::clamp<std::size_t>(threads, 1, kLaneThreadLimit);
}

void SlowWork::drop_idle_lanes() {
    std::erase_if(lanes_, [](const auto& lane) { return lane.second->is_idle(); });
}

ThreadPool& SlowWork::pool_for(const Task& task) {
    if (task.work != Work::Blocking) return cpu_pool_;
    auto it = lanes_.find(task.origin.lane);
    if (it != lanes_.end()) return *it->second;
    // Databases of configurations that are gone.
    if (lanes_.size() >= kLaneLimit) drop_idle_lanes();
    auto& lane = lanes_[lanes_.size() >= kLaneLimit ? std::string() : task.origin.lane];
    if (!lane) lane = std::make_unique<ThreadPool>(lane_threads_, kLaneQueue);
    return *lane;
}

bool SlowWork::run(Work work, JobOrigin origin, std::function<void()> job, std::function<void()> done,
                   std::function<void()> refused) {
    auto task =
        std::make_shared<Task>(Task{work, std::move(origin), std::move(job), std::move(done), std::move(refused)});
    bool accepted;
    if (task->is_guess()) {
        bool is_known = known_.contains(task->origin.remote_ip, task->origin.user);
        GuessGate::Guess guess{[this, task] {
                                   if (!submit(task)) loop_.post([this, task] { end(task, false); });
                               },
                               [task] { task->refused(); }};
        accepted = gate_.enter(task->origin.remote_ip, is_known ? GuessGate::Rank::KnownGood : GuessGate::Rank::Other,
                               std::move(guess));
    } else {
        accepted = submit(task);
    }
    if (!accepted) complain();
    return accepted;
}

// Once a second: a flood must not become one of the log.
void SlowWork::complain() {
    auto now = EventLoop::Clock::now();
    if (now - complained_ < std::chrono::seconds(1)) return;
    complained_ = now;
    log_warning("auth: too much work is waiting already; refusing requests as temporary failures");
}

bool SlowWork::submit(const TaskPtr& task) {
    const JobOrigin& origin = task->origin;
    Standing standing = Standing::Unknown;
    if (origin.kind == JobOrigin::Kind::Lookup || known_.contains(origin.remote_ip, origin.user))
        standing = Standing::KnownGood;
    else if (penalties_.find(origin.remote_ip, EventLoop::Clock::now()).level > 0) standing = Standing::Penalised;
    // The last owner of a task is the loop: what it holds must not be destroyed by a pool's thread.
    FairQueue::Job job{[this, task]() mutable {
                           task->job();
                           loop_.post([this, task = std::move(task)] { end(task, true); });
                       },
                       [this, task] { loop_.post([this, task] { end(task, false); }); }};
    auto pushed = pool_for(*task).submit(hash_(client_network(origin.remote_ip)), standing, std::move(job));
    if (pushed.displaced) pushed.displaced->refused();
    return pushed.accepted;
}

void SlowWork::end(const TaskPtr& task, bool ran) {
    if (!ran) complain();
    if (ran) task->done();
    else if (task->refused) task->refused();
    if (task->is_guess()) gate_.leave(task->origin.remote_ip);
}

}  // namespace culver
