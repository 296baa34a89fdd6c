#include "lib-auth/app-passwords/app-passwords.h"

#include <fmt/format.h>

#include <cerrno>
#include <ctime>

#include "lib-base/log.h"

namespace culver {

namespace {
constexpr std::int64_t kUseStep = 60;
constexpr std::size_t kUseLimit = 100'000;
constexpr std::chrono::seconds kComplaintStep{60};
}  // namespace

bool AppPasswords::Stamp::operator==(const Stamp& other) const {
    return device == other.device && inode == other.inode && size == other.size && mtime.tv_sec == other.mtime.tv_sec &&
           mtime.tv_nsec == other.mtime.tv_nsec;
}

bool AppPasswords::Stamp::is_settled() const { return std::time(nullptr) > mtime.tv_sec + 2; }

Result<AppPasswords::Stamp> AppPasswords::stamp() const {
    struct stat st;
    if (::stat(file_.path().c_str(), &st) != 0) {
        std::string hint = errno == ENOENT ? " (doveadm auth app-password add makes it)" : "";
        return fail(ErrorCode::Unavailable,
                    Error::from_errno(errno, fmt::format("stat({})", file_.path())).detail + hint);
    }
    return Stamp{st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

Result<std::optional<AppPasswords::Rows>> AppPasswords::of_user(const std::string& user, Blocking may_block) {
    const Stamp before = TRY(stamp());
    {
        std::lock_guard lock(mutex_);
        if (before == stamp_) {
            auto known = users_.find(user);
            if (known != users_.end()) return known->second;
        }
    }
    if (may_block == Blocking::No) return std::nullopt;
    auto rows = std::make_shared<std::vector<AppPassword>>(TRY(file_.of_user(user)));
    const bool may_keep = before.is_settled() && TRY(stamp()) == before;
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
