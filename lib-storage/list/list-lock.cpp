#include "lib-storage/list/list-lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace culver {

Result<ListLock> ListLock::acquire(const std::string& control_root, const TreeModes& modes) {
    const std::string path = control_root + "/culver.list.lock";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, modes.file));
    if (!fd) return fail_errno("open(" + path + ")");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    auto pause = std::chrono::milliseconds(1);
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return fail_errno("flock(" + path + ")");
        if (std::chrono::steady_clock::now() > deadline)
            return fail(Error{ErrorCode::InUse, "Timeout while waiting for lock",
                              path + " is held by another process for too long"});
        std::this_thread::sleep_for(pause);
        if (pause < std::chrono::milliseconds(50)) pause *= 2;
    }
    return ListLock(std::move(fd));
}

}  // namespace culver
