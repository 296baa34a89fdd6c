#include "master/pid-file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib-base/file.h"
#include "lib-service/master-control.h"

namespace culver {

Result<PidFile> PidFile::acquire(const std::string& base_dir) {
    const std::string path = base_dir + "/master.pid";
    PidFile file;
    file.path_ = path;
    if (auto pid = find_master(base_dir); pid && *pid != ::getpid())
        return fail(ErrorCode::InUse, fmt::format("Dovecot is already running with PID {} (read from {})", *pid, path));
    file.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.fd_) return fail_errno("open(" + path + ")");
    if (::flock(file.fd_.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::InUse, "Dovecot is already running (" + path + " is locked)");
    return file;
}

Status PidFile::write_own_pid() {
    if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0) return fail_errno("ftruncate(" + path_ + ")");
    return write_all(fd_.get(), fmt::format("{}\n", ::getpid()), path_);
}

void PidFile::remove() { ::unlink(path_.c_str()); }

}  // namespace culver
