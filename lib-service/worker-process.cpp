#include "lib-service/worker-process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lib-net/socket.h"
#include "lib-service/inheritance.h"

namespace culver {
namespace {

constexpr int kExitPrivileges = 89, kExitExec = 84;

// The environment of a worker: what this process has, with the inherited descriptors named anew.
std::vector<std::string> worker_environment(const WorkerStart& start, int channel_fd) {
    std::vector<std::string> environment;
    for (char** entry = environ; *entry; ++entry)
        if (std::strncmp(*entry, "CULVER_", 7) != 0) environment.emplace_back(*entry);
    environment.push_back(fmt::format("{}={}", kSettingsFdVariable, start.settings_fd));
    environment.push_back(fmt::format("{}={}", kLogFdVariable, start.log_fd));
    environment.push_back(fmt::format("{}={}", kChannelFdVariable, channel_fd));
    environment.push_back(fmt::format("{}={}", kServiceVariable, start.service));
    return environment;
}

[[noreturn]] void run_child(const WorkerStart& start, int channel_fd, char* const* arguments,
                            char* const* environment) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    keep_on_exec(channel_fd);
    keep_on_exec(start.settings_fd);
    keep_on_exec(start.log_fd);
    limit_memory(start.memory_limit);
    Status status = start.change_user ? become(start.target) : become({});
    if (!status) {
        const std::string line = "ECan't become uid " + std::to_string(start.target.uid) + ": " + status.error().detail;
        ::send(start.log_fd, line.data(), line.size(), MSG_NOSIGNAL);
        ::_exit(kExitPrivileges);
    }
    ::execve(arguments[0], arguments, environment);
    const std::string line = "Eexecve(" + start.executable + ") failed: " + std::strerror(errno);
    ::send(start.log_fd, line.data(), line.size(), MSG_NOSIGNAL);
    ::_exit(kExitExec);
}

}  // namespace

Result<WorkerProcess> start_worker(const WorkerStart& start) {
    auto [ours, theirs] = TRY(socket_pair(SOCK_SEQPACKET, Blocking::No));
    TRY(set_blocking(theirs.get(), Blocking::Yes));
    std::vector<std::string> arguments{start.executable, "--worker"};
    std::vector<std::string> environment = worker_environment(start, theirs.get());
    auto argument_pointers = exec_pointers(arguments);
    auto environment_pointers = exec_pointers(environment);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork");
    if (pid == 0) run_child(start, theirs.get(), argument_pointers.data(), environment_pointers.data());
    WorkerProcess worker;
    worker.pid = pid;
    worker.channel = std::move(ours);
    worker.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!worker.pidfd) {
        const Error error = Error::from_errno(errno, "pidfd_open");
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return fail(error);
    }
    return worker;
}

std::string describe_exit(int wait_status) {
    if (WIFSIGNALED(wait_status))
        return fmt::format("killed with signal {} ({}){}", WTERMSIG(wait_status), ::strsignal(WTERMSIG(wait_status)),
                           WCOREDUMP(wait_status) ? " (core dumped)" : "");
    return fmt::format("returned error {}", WEXITSTATUS(wait_status));
}

Result<std::string> own_executable() {
    char buffer[PATH_MAX];
    ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer);
    if (n <= 0) return fail_errno("readlink(/proc/self/exe)");
    std::string path(buffer, static_cast<std::size_t>(n));
    // After an upgrade the running file is unlinked; its successor has the same name.
    if (path.ends_with(" (deleted)")) path.resize(path.size() - 10);
    return path;
}

}  // namespace culver
