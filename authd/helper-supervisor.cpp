#include "authd/helper-supervisor.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib-net/socket.h"

namespace culver {

namespace {
constexpr int kChannel = 3, kLifeline = 4;

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The alarm of a helper: ends whatever it has started, in groups of their own or not, and then itself. Only what a
// signal handler may do.
extern "C" void time_is_up(int) {
    char path[64] = "/proc/thread-self/children", text[4096];
    int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? ::read(fd, text, sizeof text) : -1;
    pid_t pid = 0;
    for (ssize_t i = 0; i < size; ++i) {
        if (text[i] >= '0' && text[i] <= '9') {
            pid = pid * 10 + (text[i] - '0');
            continue;
        }
        if (pid > 1) {
            ::kill(-pid, SIGKILL);
            ::kill(pid, SIGKILL);
        }
        pid = 0;
    }
    ::kill(0, SIGKILL);
    ::_exit(1);
}

[[noreturn]] void serve(int fd, const HelperKind& kind) {
    // A group of its own, for the alarm.
    ::setsid();
    ::prctl(PR_SET_NAME, kind.process_name.c_str());
    if (kind.prepare && !kind.prepare()) ::_exit(1);
    reset_signals();
    ::signal(SIGALRM, time_is_up);
    static char buffer[HelperProcesses::kMessageLimit];
    for (unsigned served = 1;; ++served) {
        ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        ::alarm(kind.seconds);
        HelperAnswer answer = kind.answer({buffer, static_cast<std::size_t>(size)});
        ::alarm(0);
        ::explicit_bzero(buffer, static_cast<std::size_t>(size));
        bool stays = answer.max_requests == 0 || served < answer.max_requests;
        std::string line = (stays ? kHelperStays : kHelperEnds) + answer.bytes;
        bool sent = ::send(fd, line.data(), line.size(), MSG_NOSIGNAL) >= 0;
        ::explicit_bzero(line.data(), line.size());
        ::explicit_bzero(answer.bytes.data(), answer.bytes.size());
        if (!sent || !stays) break;
    }
    ::_exit(0);
}

// Copies of both descriptors at their new places, whichever numbers they have now.
bool keep_only(int channel, int lifeline) {
    int high = ::fcntl(channel, F_DUPFD, 16), other = ::fcntl(lifeline, F_DUPFD, 16);
    return high >= 0 && other >= 0 && ::dup2(high, kChannel) == kChannel && ::dup2(other, kLifeline) == kLifeline &&
           ::syscall(SYS_close_range, kLifeline + 1, ~0u, 0u) == 0;
}
}  // namespace

void supervise_helpers(int channel, int lifeline, const std::vector<HelperKind>& kinds) {
    // Not one descriptor of authd: neither its listeners nor its master's channel may live on in here.
    if (!keep_only(channel, lifeline)) ::_exit(1);
    ::prctl(PR_SET_NAME, "auth-helpers");
    reset_signals();
    for (int number : {SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD}) ::signal(number, SIG_IGN);
    while (true) {
        char order;
        ssize_t size = ::recv(kChannel, &order, 1, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size != 1 || static_cast<unsigned char>(order) >= kinds.size()) break;
        auto pair = socket_pair(SOCK_SEQPACKET, Blocking::Yes);
        pid_t child = pair ? ::fork() : -1;
        if (child == 0) {
            ::close(kChannel);
            ::close(kLifeline);
            pair->first.reset();
            serve(pair->second.get(), kinds[static_cast<unsigned char>(order)]);
        }
        if (child < 0) {
            if (::send(kChannel, "x", 1, MSG_NOSIGNAL) != 1) break;
            continue;
        }
        const int fd = pair->first.get();
        if (!send_with_fds(kChannel, "w", {&fd, 1})) break;
    }
    ::_exit(0);
}

}  // namespace culver
