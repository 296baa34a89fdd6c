#include "lib-auth/http/rawlog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

#include "lib-base/file.h"
#include "lib-base/log.h"

namespace culver {

Rawlog::Rawlog(const std::string& directory) {
    static std::atomic<unsigned> number{0};
    std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char stamp[32] = "";
    std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    std::string stem = fmt::format("{}/{}.{}.{}", directory, stamp, ::getpid(), ++number);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    out_ = UniqueFd(::open((stem + ".out").c_str(), kFlags, 0600));
    if (out_.get() < 0) {
        log_error(Error::from_errno(errno, fmt::format("rawlog_dir: open({}.out)", stem)).detail);
        return;
    }
    in_ = UniqueFd(::open((stem + ".in").c_str(), kFlags, 0600));
}

void Rawlog::write(Direction direction, std::string_view bytes) {
    int fd = direction == Direction::Sent ? out_.get() : in_.get();
    if (fd >= 0) (void)write_all(fd, bytes, "rawlog");
}

}  // namespace culver
