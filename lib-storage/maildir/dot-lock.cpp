#include "lib-storage/maildir/dot-lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-base/unique-fd.h"

namespace culver {

namespace {

constexpr int kEmptyGraceSeconds = 2;   // between creating a lock and writing the pid into it
constexpr int kUnchangedSeconds = 120;  // a lock of another machine

std::int64_t now_seconds() { return static_cast<std::int64_t>(::time(nullptr)); }

std::int64_t boot_time() {
    struct timespec up;
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    return now_seconds() - up.tv_sec;
}

bool is_stale(const struct stat& st, const std::string& content, const std::string& hostname) {
    const std::int64_t age = now_seconds() - st.st_mtim.tv_sec;
    if (st.st_mtim.tv_sec + 1 < boot_time()) return true;
    if (trim(content).empty()) return age >= kEmptyGraceSeconds;
    auto colon = content.find(':');
    auto pid = parse_uint32(std::string_view(content).substr(0, colon));
    bool same_host = colon != std::string::npos && trim(std::string_view(content).substr(colon + 1)) == hostname;
    if (same_host && pid && *pid > 1 && ::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) return true;
    return age >= kUnchangedSeconds;
}

// Removes `path` if it is still the file that was judged.
void remove_stale(const std::string& path, const struct stat& judged) {
    struct stat st;
    if (::lstat(path.c_str(), &st) != 0 || st.st_ino != judged.st_ino || st.st_mtim.tv_sec != judged.st_mtim.tv_sec)
        return;
    log_warning("Removing the stale lock file " + path + ": its owner is gone");
    ::unlink(path.c_str());
}

}  // namespace

// Writes the owner into the anchor and gives it the lock's name. Unable: this file system has no second names.
DotLock::Taken DotLock::link_anchor(const std::string& path, const std::string& anchor, const std::string& owner) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (!anchor_)
            anchor_.reset(::open(anchor.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        struct stat st;
        if (!anchor_ || ::fstat(anchor_.get(), &st) != 0 || !S_ISREG(st.st_mode)) return Taken::Unable;
        if (st.st_nlink > 1) return Taken::No;  // held: its content is the holder's
        if (st.st_nlink == 1) {
            const auto size = static_cast<ssize_t>(owner.size());
            if (::pwrite(anchor_.get(), owner.data(), owner.size(), 0) != size) return Taken::Unable;
            if (st.st_size != size && ::ftruncate(anchor_.get(), size) != 0) return Taken::Unable;
            if (::link(anchor.c_str(), path.c_str()) == 0) return Taken::Yes;
            if (errno == EEXIST) return Taken::No;
            if (errno != ENOENT) return Taken::Unable;
        }
        anchor_.reset();  // somebody removed it
    }
    return Taken::Unable;
}

// True when made, false when somebody has it.
Result<bool> DotLock::create(const std::string& path, const std::string& owner) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd && errno == EEXIST) return false;
    if (!fd) return fail_errno("open(" + path + ")");
    if (Status written = write_all(fd.get(), owner, path); !written) {
        ::unlink(path.c_str());
        return fail(std::move(written).error());
    }
    return true;
}

Status DotLock::acquire(const std::string& path, const std::string& anchor, const std::string& hostname,
                        std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const std::string owner = std::to_string(::getpid()) + ":" + hostname;
    long pause_ns = 200'000;
    while (true) {
        const Taken taken = link_anchor(path, anchor, owner);
        if (taken == Taken::Yes || (taken == Taken::Unable && TRY(create(path, owner)))) {
            path_ = path;
            return {};
        }
        struct stat st;
        if (::lstat(path.c_str(), &st) == 0) {
            auto content = read_file(path, 1024);
            if (!S_ISREG(st.st_mode) || (content && is_stale(st, *content, hostname))) {
                remove_stale(path, st);
                continue;
            }
        }
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(ErrorCode::InUse,
                        path + " is held by somebody else for too long; if no mail program is running, remove it");
        struct timespec pause = {0, pause_ns};
        ::nanosleep(&pause, nullptr);
        if (pause_ns < 20'000'000) pause_ns *= 2;
    }
}

void DotLock::release() {
    if (path_.empty()) return;
    ::unlink(path_.c_str());
    path_.clear();
}

}  // namespace culver
