#include "master/child-process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib-net/socket.h"
#include "lib-service/inheritance.h"

namespace culver {
namespace {

constexpr int kExitExec = 84;

std::vector<std::string> child_environment(const ChildStart& start, int control_fd, int kept_fd) {
    std::vector<std::string> environment = start.environment;
    std::string listeners;
    for (const ListenerLine& line : start.listeners) listeners += line.to_line() + "\n";
    environment.push_back(fmt::format("{}={}", kServiceVariable, start.service));
    environment.push_back(fmt::format("{}={}", kSettingsFdVariable, start.settings_fd));
    environment.push_back(fmt::format("{}={}", kLogFdVariable, start.log_fd));
    environment.push_back(fmt::format("{}={}", kControlFdVariable, control_fd));
    environment.push_back(fmt::format("{}={}", kListenersVariable, listeners));
    if (kept_fd >= 0) environment.push_back(fmt::format("{}={}", kKeptWorkersFdVariable, kept_fd));
    return environment;
}

void connect_standard_streams(int error_fd) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::dup2(error_fd >= 0 ? error_fd : null, 2);
}

[[noreturn]] void run_child(const ChildStart& start, int control_fd, int kept_fd, char* const* arguments,
                            char* const* environment) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    connect_standard_streams(start.error_fd);
    for (int fd : {control_fd, start.settings_fd, start.log_fd, kept_fd}) keep_on_exec(fd);
    for (const ListenerLine& line : start.listeners) keep_on_exec(line.fd);
    for (const KeptWorker* worker : start.kept_workers) {
        keep_on_exec(worker->channel.get());
        keep_on_exec(worker->pidfd.get());
    }
    rlimit files;
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::execve(arguments[0], arguments, environment);
    const std::string text =
        fmt::format("F{}: execv({}) failed: {}", start.service, arguments[0], std::strerror(errno));
    ::send(start.log_fd, text.data(), text.size(), MSG_NOSIGNAL);
    ::_exit(kExitExec);
}

// In a memfd, since the environment has no room for thousands. None: no descriptor.
Result<UniqueFd> list_kept_workers(const ChildStart& start) {
    if (start.kept_workers.empty()) return UniqueFd();
    std::string lines;
    for (const KeptWorker* worker : start.kept_workers) lines += KeptWorkerLine::of(*worker).to_line() + "\n";
    return make_memfd(lines);
}

}  // namespace

Result<ChildProcess> start_child(const ChildStart& start) {
    auto [ours, theirs] = TRY(socket_pair(SOCK_SEQPACKET, Blocking::No));
    const UniqueFd kept = TRY(list_kept_workers(start));
    std::vector<std::string> arguments = start.command;
    std::vector<std::string> environment = child_environment(start, theirs.get(), kept.get());
    auto argument_pointers = exec_pointers(arguments);
    auto environment_pointers = exec_pointers(environment);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork");
    if (pid == 0) run_child(start, theirs.get(), kept.get(), argument_pointers.data(), environment_pointers.data());
    return ChildProcess{pid, std::move(ours)};
}

}  // namespace culver
