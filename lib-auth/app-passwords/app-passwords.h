// AppPasswords: what authd knows of the app passwords: the rows of users who log in, as long as the file stays the
// same, and when each was last used. Thread-safe.
//
// The file is looked at (stat) with each login, so that a revoked password fails at the very next one.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib-auth/app-passwords/app-password-file.h"
#include "lib-base/file.h"

namespace culver {

class AppPasswords {
public:
    using Rows = std::shared_ptr<const std::vector<AppPassword>>;  // shared with logins under way in other threads
    enum class Blocking { No, Yes };

    explicit AppPasswords(std::string path) : file_(std::move(path)) {}

    // The rows of a user. Nothing: that needs the disk, ask again where it may block. The error says what to mend.
    Result<std::optional<Rows>> of_user(const std::string& user, Blocking may_block);

    // A use is written at most once a minute for each row. True: record_use() would write now.
    bool is_use_due(std::int64_t id, std::int64_t now);
    // Blocks. A failure is logged, at most once a minute, and no reason to refuse a login.
    void record_use(std::int64_t id, const AppPasswordUse& use);

    // One line for the log about an error that of_user() returned; at most one a minute for the same one.
    void complain(const Error& error);

    static constexpr std::size_t kUserLimit = 20'000;

private:
    Result<FileStamp> stamp() const;
    using Clock = std::chrono::steady_clock;

    AppPasswordFile file_;
    std::mutex mutex_;  // guards everything below
    FileStamp stamp_;
    std::unordered_map<std::string, Rows> users_;
    std::unordered_map<std::int64_t, std::int64_t> used_;  // id -> when it was last written
    std::string complaint_;
    Clock::time_point complained_{};
};

}  // namespace culver
