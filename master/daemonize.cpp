#include "master/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "lib-config/load.h"

namespace culver {

Result<Daemon> Daemon::start() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno("pipe");
    UniqueFd read_end(fds[0]), write_end(fds[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork");
    if (pid > 0) {
        write_end.reset();
        unsigned char code = kExitConfig;
        while (::read(read_end.get(), &code, 1) < 0 && errno == EINTR) {
        }
        ::_exit(code);
    }
    ::setsid();
    Daemon daemon;
    daemon.pipe_ = std::move(write_end);
    return daemon;
}

void Daemon::report(int exit_code) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd : {0, 1, 2}) ::dup2(null, fd);
    ::close(null);
    const auto code = static_cast<unsigned char>(exit_code);
    [[maybe_unused]] ssize_t n = ::write(pipe_.get(), &code, 1);
    pipe_.reset();
}

}  // namespace culver
