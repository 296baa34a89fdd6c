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

constexpr int kEmptyGraceSeconds = 2;  // between creating a lock and writing the pid into it
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

Status DotLock::acquire(const std::string& path, const std::string& hostname, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    long pause_ns = 200'000;
    while (true) {
        UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (fd) {
            std::string owner = std::to_string(::getpid()) + ":" + hostname;
            if (Status written = write_all(fd.get(), owner, path); !written) {
                ::unlink(path.c_str());
                return written;
            }
            path_ = path;
            return {};
        }
        if (errno != EEXIST) return fail_errno("open(" + path + ")");
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
