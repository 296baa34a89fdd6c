// One SQLite file, asked by several threads: a few connections, each with its statements prepared once.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib-auth/sql/row-cache.h"
#include "lib-base/result.h"

namespace culver {

class SqliteDatabase {
public:
    explicit SqliteDatabase(std::string path);
    ~SqliteDatabase();

    // Runs a prepared statement; `visit` is called for each row and ends the query by returning false. Thread-safe,
    // blocks for at most two seconds on a locked file. Unavailable: the file is missing, locked or no database, the
    // query does not fit it; the next call tries again.
    Status query(const std::string& text, const std::vector<std::string>& parameters,
                 const std::function<bool(const SqlRow&)>& visit);

    // The same without waiting, for the event loop: nothing if the file is locked, if it would take more than about a
    // millisecond (it is then asked like this again when a query has been quick), or on any trouble; `query` knows
    // more. What `visit` has seen by then counts for nothing.
    std::optional<Status> query_at_once(const std::string& text, const std::vector<std::string>& parameters,
                                        const std::function<bool(const SqlRow&)>& visit);

    // What tells that the database was written to; nothing if there is no such file.
    std::optional<DatabaseStamp> stamp() const;

private:
    struct Connection;
    enum class Patience { None, Seconds };
    std::unique_ptr<Connection> take_idle(const FileStamp& file);
    Result<std::unique_ptr<Connection>> open(const FileStamp& file);
    void give_back(std::unique_ptr<Connection> connection);
    Status run(std::unique_ptr<Connection> connection, Patience patience, const std::string& text,
               const std::vector<std::string>& parameters, const std::function<bool(const SqlRow&)>& visit);

    const std::string path_, log_path_;
    std::atomic<unsigned> slow_in_a_row_{0};  // queries that took long; one alone may be another process's fault
    std::mutex mutex_;                        // guards idle_
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace culver
