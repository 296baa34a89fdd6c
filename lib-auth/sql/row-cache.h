// RowCache: the rows that a database file gave a moment ago, as long as nothing was written to it.
//
// Asking SQLite takes nine system calls for its locks; seeing that the file is the same takes one. A row is good while
// device, inode, size, mtime and ctime of the file (and of its write-ahead log) are what they were when it was read,
// and for a second at most: a query may speak of the time. Bounded; one mutex.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib-auth/keyed-hash.h"
#include "lib-base/file.h"

namespace culver {

// A row: column names with their values; NULL values are left out.
using SqlRow = std::vector<std::pair<std::string, std::string>>;

// What tells that a database was written to.
struct DatabaseStamp {
    FileStamp file, log;                 // log: the default if there is none
    FileTime file_changed, log_changed;  // ctime: another program may have set mtime back

    bool operator==(const DatabaseStamp&) const = default;
};

class RowCache {
public:
    using Clock = std::chrono::steady_clock;

    explicit RowCache(std::size_t limit) : limit_(limit / 2) {}

    // `query`: text and parameters.
    std::optional<SqlRow> find(const std::string& query, const DatabaseStamp& stamp, Clock::time_point now);
    void put(const std::string& query, const DatabaseStamp& stamp, const SqlRow& row, Clock::time_point now);
    // Every row is of this stamp; another one empties the cache.
    std::size_t size();

private:
    struct Entry {
        SqlRow row;
        Clock::time_point read;
    };
    using Generation = std::unordered_map<std::string, Entry, KeyedHash>;
    void follow(const DatabaseStamp& stamp);

    const std::size_t limit_;  // of one generation
    std::mutex mutex_;         // guards everything below
    DatabaseStamp stamp_;
    Generation young_, old_;  // a full young one takes the old one's place
};

}  // namespace culver
