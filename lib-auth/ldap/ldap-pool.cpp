#include "lib-auth/ldap/ldap-pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace culver {

namespace {
bool is_servers_fault(const Error& error) {
    return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Timeout;
}
}  // namespace

LdapPool::LdapPool(std::vector<std::string> uris, Opener opener, std::size_t limit)
    : uris_(std::move(uris)), opener_(std::move(opener)), limit_(limit) {}

std::chrono::seconds LdapPool::backoff(unsigned failures) {
    return std::min(kBackoffLimit, std::chrono::seconds(1) * (1 << std::min(failures > 0 ? failures - 1 : 0, 6u)));
}

std::unexpected<Error> LdapPool::down_error() const {
    auto left = std::chrono::ceil<std::chrono::seconds>(down_until_ - Clock::now()).count();
    std::string next = is_probing_ || left <= 0 ? "is being tried again" : fmt::format("next attempt in {} s", left);
    return fail(ErrorCode::Unavailable, fmt::format("LDAP server is down ({}): {}", next, why_down_));
}

void LdapPool::failed(std::string why, std::unique_lock<std::mutex>&) {
    ++failures_;
    is_probing_ = false;
    why_down_ = std::move(why);
    down_until_ = Clock::now() + backoff(failures_);
    changed_.notify_all();
}

// Tries every server once, or as many as the time allows; the next attempt begins where this one ends. The caller has
// counted the connection already.
Result<LdapPool::Lease> LdapPool::open_one(std::unique_lock<std::mutex>& lock) {
    std::size_t first = preferred_, generation = generation_;
    lock.unlock();
    std::string why;
    std::size_t at = first;
    auto end = Clock::now() + kOpenLimit;
    for (std::size_t i = 0; i < uris_.size() && (i == 0 || Clock::now() < end); ++i) {
        at = (first + i) % uris_.size();
        auto made = opener_(uris_[at]);
        if (made) {
            lock.lock();
            preferred_ = at;
            failures_ = 0;
            is_probing_ = false;
            changed_.notify_all();
            return Lease{std::move(*made), generation, true};
        }
        why += (why.empty() ? "" : "; ") + made.error().detail;
    }
    lock.lock();
    --count_;
    preferred_ = (at + 1) % uris_.size();
    failed(why, lock);
    return fail(ErrorCode::Unavailable, "Can't connect to LDAP server: " + why);
}

Result<LdapPool::Lease> LdapPool::take(Reuse reuse) {
    std::vector<Idle> stale;  // closed without the lock
    std::unique_lock lock(mutex_);
    auto end = Clock::now() + kWaitLimit;
    while (true) {
        auto now = Clock::now();
        if (failures_ > 0 && (now < down_until_ || is_probing_)) return down_error();
        while (reuse == Reuse::Yes && !idle_.empty()) {
            Idle last = std::move(idle_.back());
            idle_.pop_back();
            if (now - last.since < kIdleLimit) return Lease{std::move(last.connection), generation_, false};
            --count_;
            stale.push_back(std::move(last));
        }
        if (reuse == Reuse::No && count_ >= limit_ && !idle_.empty()) {
            stale.push_back(std::move(idle_.front()));
            idle_.erase(idle_.begin());
            --count_;
        }
        if (count_ < limit_) {
            ++count_;
            is_probing_ = failures_ > 0;
            return open_one(lock);
        }
        if (changed_.wait_until(lock, end) == std::cv_status::timeout)
            return fail(ErrorCode::Unavailable, fmt::format("all {} connections to the LDAP server are busy", limit_));
    }
}

void LdapPool::give_back(Lease lease) {
    std::unique_lock lock(mutex_);
    bool is_good = !lease.connection->is_broken() && lease.generation == generation_;
    if (is_good) idle_.push_back({std::move(lease.connection), Clock::now()});
    else --count_;
    changed_.notify_one();
    lock.unlock();  // closing says good-bye to the server: not under the lock
}

Status LdapPool::run(const std::function<Status(LdapConnection&)>& work) {
    Lease lease = TRY(take(Reuse::Yes));
    bool was_fresh = lease.is_fresh;
    Status done = work(*lease.connection);
    bool is_dead = lease.connection->is_broken();
    give_back(std::move(lease));
    if (done || !is_servers_fault(done.error())) return done;
    std::vector<Idle> dropped;
    {
        std::unique_lock lock(mutex_);
        if (is_dead) {
            // What was made before is as dead: the server was restarted, or hangs.
            ++generation_;
            count_ -= idle_.size();
            dropped.swap(idle_);
        }
        bool hangs = done.error().code == ErrorCode::Timeout;
        if (hangs) preferred_ = (preferred_ + 1) % uris_.size();
        // Time has been spent already; or a new connection would meet the same.
        if (hangs || was_fresh || !is_dead) {
            if (hangs && uris_.size() == 1) failed(done.error().detail, lock);
            return done;
        }
    }
    dropped.clear();
    Lease fresh = TRY(take(Reuse::No));
    done = work(*fresh.connection);
    give_back(std::move(fresh));
    return done;
}

}  // namespace culver
