#include "lib-auth/app-passwords/app-passwords.h"

#include <fmt/format.h>

#include <cerrno>

#include "lib-base/log.h"

namespace culver {

namespace {
constexpr std::int64_t kUseStep = 60;
constexpr std::size_t kUseLimit = 100'000;
constexpr std::chrono::seconds kComplaintStep{60};
constexpr std::chrono::seconds kSettled{2};  // after this another write would show in the stamp
}  // namespace

Result<FileStamp> AppPasswords::stamp() const {
    if (auto found = FileStamp::of_path(file_.path())) return *found;
    const int error = errno;
    std::string hint = error == ENOENT ? " (doveadm auth app-password add makes it)" : "";
    return fail(ErrorCode::Unavailable, Error::from_errno(error, fmt::format("stat({})", file_.path())).detail + hint);
}

Result<std::optional<AppPasswords::Rows>> AppPasswords::of_user(const std::string& user, Blocking may_block) {
    const FileStamp before = TRY(stamp());
    {
        std::lock_guard lock(mutex_);
        if (before == stamp_) {
            auto known = users_.find(user);
            if (known != users_.end()) return known->second;
        }
    }
    if (may_block == Blocking::No) return std::nullopt;
    auto rows = std::make_shared<std::vector<AppPassword>>(TRY(file_.of_user(user)));
    const bool may_keep = before.mtime.is_older_than(kSettled) && TRY(stamp()) == before;
    std::lock_guard lock(mutex_);
    if (!may_keep) return rows;
    if (!(before == stamp_) || users_.size() >= kUserLimit) users_.clear();
    stamp_ = before;
    users_[user] = rows;
    return rows;
}

bool AppPasswords::is_use_due(std::int64_t id, std::int64_t now) {
    std::lock_guard lock(mutex_);
    auto last = used_.find(id);
    return last == used_.end() || last->second + kUseStep <= now || last->second > now;
}

void AppPasswords::record_use(std::int64_t id, const AppPasswordUse& use) {
    {
        std::lock_guard lock(mutex_);
        if (used_.size() >= kUseLimit) used_.clear();
        used_[id] = use.when;
    }
    if (auto written = file_.record_use(id, use); !written)
        complain({written.error().code, {}, "the last use cannot be written: " + written.error().detail});
}

void AppPasswords::complain(const Error& error) {
    const auto now = Clock::now();
    {
        std::lock_guard lock(mutex_);
        if (error.detail == complaint_ && now - complained_ < kComplaintStep) return;
        complaint_ = error.detail;
        complained_ = now;
    }
    log_error(fmt::format("app passwords: {}", error.detail));
}

}  // namespace culver
