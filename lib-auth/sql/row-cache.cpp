#include "lib-auth/sql/row-cache.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kGoodFor{1};
constexpr std::chrono::milliseconds kSettled{50};  // after this another write would show in the stamp
}  // namespace

void RowCache::follow(const DatabaseStamp& stamp) {
    if (stamp == stamp_) return;
    young_.clear();
    old_.clear();
    stamp_ = stamp;
}

std::optional<SqlRow> RowCache::find(const std::string& query, const DatabaseStamp& stamp, Clock::time_point now) {
    std::lock_guard lock(mutex_);
    follow(stamp);
    for (Generation* generation : {&young_, &old_}) {
        auto it = generation->find(query);
        if (it == generation->end()) continue;
        if (now - it->second.read <= kGoodFor) return it->second.row;
        generation->erase(it);
    }
    return std::nullopt;
}

void RowCache::put(const std::string& query, const DatabaseStamp& stamp, const SqlRow& row, Clock::time_point now) {
    if (!stamp.file_changed.is_older_than(kSettled) || !stamp.log_changed.is_older_than(kSettled)) return;
    std::lock_guard lock(mutex_);
    follow(stamp);
    if (young_.size() >= limit_) {
        old_ = std::move(young_);
        young_.clear();
    }
    young_[query] = Entry{row, now};
}

std::size_t RowCache::size() {
    std::lock_guard lock(mutex_);
    return young_.size() + old_.size();
}

}  // namespace culver
