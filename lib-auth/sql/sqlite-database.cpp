#include "lib-auth/sql/sqlite-database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <map>

namespace culver {

namespace {
constexpr int kBusyMilliseconds = 2000;
constexpr std::size_t kIdleLimit = 8;
constexpr std::chrono::microseconds kQuick{1000};
constexpr unsigned kSlowInARow = 2;
// Steps of SQLite's machine after which a query that must not wait is given up: a look into an index takes some dozens.
constexpr int kQuickSteps = 20'000;

int give_up(void*) { return 1; }

struct StatementEnd {
    void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
};
}  // namespace

struct SqliteDatabase::Connection {
    sqlite3* handle = nullptr;
    FileStamp file;
    std::map<std::string, std::unique_ptr<sqlite3_stmt, StatementEnd>> statements;

    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() {
        statements.clear();
        ::sqlite3_close(handle);
    }
};

SqliteDatabase::SqliteDatabase(std::string path) : path_(std::move(path)), log_path_(path_ + "-wal") {}
SqliteDatabase::~SqliteDatabase() = default;

std::optional<DatabaseStamp> SqliteDatabase::stamp() const {
    struct stat file, log;
    if (::stat(path_.c_str(), &file) != 0) return std::nullopt;
    DatabaseStamp stamp{FileStamp(file), {}, {file.st_ctim.tv_sec, file.st_ctim.tv_nsec}, {}};
    if (::stat(log_path_.c_str(), &log) == 0) {
        stamp.log = FileStamp(log);
        stamp.log_changed = {log.st_ctim.tv_sec, log.st_ctim.tv_nsec};
    }
    return stamp;
}

// An open connection to the file that has this name now; it may have been replaced by another one.
std::unique_ptr<SqliteDatabase::Connection> SqliteDatabase::take_idle(const FileStamp& file) {
    std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->file.is_same_file(file)) return connection;
    }
    return nullptr;
}

Result<std::unique_ptr<SqliteDatabase::Connection>> SqliteDatabase::open(const FileStamp& file) {
    auto connection = std::make_unique<Connection>();
    connection->file = file;
    // Readable is enough; SQLite opens a file that it may not write for reading.
    int status =
        ::sqlite3_open_v2(path_.c_str(), &connection->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (status == SQLITE_OK) return connection;
    return fail(ErrorCode::Unavailable,
                fmt::format("sqlite: Can't open {}: {}", path_,
                            connection->handle ? ::sqlite3_errmsg(connection->handle) : "out of memory"));
}

void SqliteDatabase::give_back(std::unique_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleLimit) idle_.push_back(std::move(connection));
}

Status SqliteDatabase::query(const std::string& text, const std::vector<std::string>& parameters,
                             const std::function<bool(const SqlRow&)>& visit) {
    auto file = FileStamp::of_path(path_);
    if (!file)
        return fail(ErrorCode::Unavailable, Error::from_errno(errno, fmt::format("sqlite: stat({})", path_)).detail);
    auto connection = take_idle(*file);
    if (!connection) connection = TRY(open(*file));
    return run(std::move(connection), Patience::Seconds, text, parameters, visit);
}

std::optional<Status> SqliteDatabase::query_at_once(const std::string& text, const std::vector<std::string>& parameters,
                                                    const std::function<bool(const SqlRow&)>& visit) {
    if (slow_in_a_row_.load(std::memory_order_relaxed) >= kSlowInARow) return std::nullopt;
    auto file = FileStamp::of_path(path_);
    if (!file) return std::nullopt;
    // Opening reads the schema: where it holds nobody up.
    auto connection = take_idle(*file);
    if (!connection) return std::nullopt;
    Status status = run(std::move(connection), Patience::None, text, parameters, visit);
    if (!status) return std::nullopt;
    return status;
}

Status SqliteDatabase::run(std::unique_ptr<Connection> connection, Patience patience, const std::string& text,
                           const std::vector<std::string>& parameters,
                           const std::function<bool(const SqlRow&)>& visit) {
    auto begun = std::chrono::steady_clock::now();
    ::sqlite3_busy_timeout(connection->handle, patience == Patience::None ? 0 : kBusyMilliseconds);
    ::sqlite3_progress_handler(connection->handle, kQuickSteps, patience == Patience::None ? give_up : nullptr,
                               nullptr);
    auto& statement = connection->statements[text];
    if (!statement) {
        sqlite3_stmt* raw = nullptr;
        if (::sqlite3_prepare_v2(connection->handle, text.data(), static_cast<int>(text.size()), &raw, nullptr) !=
                SQLITE_OK ||
            !raw)
            return fail(ErrorCode::Unavailable,
                        fmt::format("sqlite {}: {} in: {}", path_, ::sqlite3_errmsg(connection->handle), text));
        statement.reset(raw);
    }
    // The parameters live until the statement is done: no copies.
    for (std::size_t i = 0; i < parameters.size(); ++i)
        ::sqlite3_bind_text64(statement.get(), static_cast<int>(i + 1), parameters[i].data(), parameters[i].size(),
                              SQLITE_STATIC, SQLITE_UTF8);
    int status;
    while ((status = ::sqlite3_step(statement.get())) == SQLITE_ROW) {
        SqlRow row;
        for (int column = 0; column < ::sqlite3_column_count(statement.get()); ++column) {
            if (::sqlite3_column_type(statement.get(), column) == SQLITE_NULL) continue;
            const auto* value = reinterpret_cast<const char*>(::sqlite3_column_text(statement.get(), column));
            row.emplace_back(::sqlite3_column_name(statement.get(), column),
                             std::string(value ? value : "",
                                         static_cast<std::size_t>(::sqlite3_column_bytes(statement.get(), column))));
        }
        if (!visit(row)) {
            status = SQLITE_DONE;
            break;
        }
    }
    bool is_busy = patience == Patience::None && (status == SQLITE_BUSY || status == SQLITE_LOCKED);
    if (status == SQLITE_INTERRUPT) slow_in_a_row_ = kSlowInARow;
    else if (!is_busy && std::chrono::steady_clock::now() - begun > kQuick) ++slow_in_a_row_;
    else if (!is_busy) slow_in_a_row_ = 0;
    std::string why = status == SQLITE_DONE ? std::string() : ::sqlite3_errmsg(connection->handle);
    ::sqlite3_reset(statement.get());
    ::sqlite3_clear_bindings(statement.get());
    // A failed connection is not kept, it may be the file that is broken; but a lock passes.
    if (status == SQLITE_DONE || is_busy || status == SQLITE_INTERRUPT) give_back(std::move(connection));
    if (status == SQLITE_DONE) return {};
    return fail(ErrorCode::Unavailable, fmt::format("sqlite {}: {}", path_, why));
}

}  // namespace culver
