#include "lib-storage/mailbox/file-lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

namespace culver {

Status FileLock::open(const std::string& path, unsigned mode) {
    path_ = path;
    mode_ = mode;
    fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
    if (!fd_) return fail_errno("open(" + path + ")");
    return {};
}

bool FileLock::is_replaced() const {
    struct stat st;
    return ::fstat(fd_.get(), &st) != 0 || st.st_nlink == 0;
}

Status FileLock::acquire(std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    long pause_ns = 30'000;
    while (true) {
        if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) {
            if (!is_replaced()) return {};
            ::flock(fd_.get(), LOCK_UN);
            TRY(open(path_, mode_));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return fail_errno("flock(" + path_ + ")");
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(ErrorCode::InUse, path_ + " is held by another process for too long");
        struct timespec pause = {0, pause_ns};
        ::nanosleep(&pause, nullptr);
        pause_ns = std::min(pause_ns * 3 / 2, 3'000'000L);
    }
}

void FileLock::release() { ::flock(fd_.get(), LOCK_UN); }

}  // namespace culver
