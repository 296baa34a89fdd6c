#include "lib-auth/sql/row-cache.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kGoodFor{1};
constexpr std::chrono::milliseconds kSettled{50};

bool equals(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }
}  // namespace

FileStamp::FileStamp(const struct stat& file)
    : device(file.st_dev), inode(file.st_ino), size(file.st_size), mtime(file.st_mtim), ctime(file.st_ctim) {}

bool FileStamp::operator==(const FileStamp& other) const {
    return device == other.device && inode == other.inode && size == other.size && equals(mtime, other.mtime) &&
           equals(ctime, other.ctime);
}

bool FileStamp::is_settled() const {
    auto changed =
        std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::seconds(ctime.tv_sec) + std::chrono::nanoseconds(ctime.tv_nsec)));
    return std::chrono::system_clock::now() - changed > kSettled;
}

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
    if (!stamp.file.is_settled() || !stamp.log.is_settled()) return;
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
