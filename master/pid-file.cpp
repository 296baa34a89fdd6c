#include "master/pid-file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib-base/file.h"
#include "lib-service/master-control.h"

namespace culver {
namespace {
constexpr int kDyingTries = 80;
constexpr useconds_t kDyingPause = 25'000;
}  // namespace

Result<PidFile> PidFile::acquire(const std::string& base_dir) {
    const std::string path = base_dir + "/master.pid";
    PidFile file;
    file.path_ = path;
    file.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.fd_) return fail_errno("open(" + path + ")");
    bool locked = ::flock(file.fd_.get(), LOCK_EX | LOCK_NB) == 0;
    auto pid = find_master(base_dir);
    // A server that was killed while it started a process: the lock is that one's until it executes its program.
    for (int i = 0; !locked && !pid && i < kDyingTries; ++i) {
        ::usleep(kDyingPause);
        locked = ::flock(file.fd_.get(), LOCK_EX | LOCK_NB) == 0;
        pid = find_master(base_dir);
    }
    // With the lock free, the process is a Dovecot, which takes none, or a server that is dying this very moment.
    for (int i = 0; locked && pid && i < kDyingTries; ++i) {
        ::usleep(kDyingPause);
        pid = find_master(base_dir);
    }
    if (pid)
        return fail(ErrorCode::InUse, fmt::format("Dovecot is already running with PID {} (read from {})", *pid, path));
    if (!locked) return fail(ErrorCode::InUse, "Dovecot is already running (" + path + " is locked)");
    return file;
}

Status PidFile::write_own_pid() {
    if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0)
        return fail_errno("ftruncate(" + path_ + ")");
    return write_all(fd_.get(), fmt::format("{}\n", ::getpid()), path_);
}

void PidFile::remove() { ::unlink(path_.c_str()); }

}  // namespace culver
