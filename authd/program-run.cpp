#include "authd/program-run.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "lib-base/unique-fd.h"

extern char** environ;

namespace culver {

namespace {
using Clock = std::chrono::steady_clock;
constexpr int kNotStarted = 127;

struct Pipe {
    UniqueFd read, write;
};

bool open_pipe(Pipe& pipe) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return false;
    pipe.read.reset(fds[0]);
    pipe.write.reset(fds[1]);
    return true;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

// The server's own environment without what is between it and its services, then the call's.
std::vector<std::string> full_environment(const ProgramCall& call) {
    std::vector<std::string> out = call.environment;
    for (char** entry = environ; *entry; ++entry) {
        std::string_view text(*entry);
        std::string_view name = text.substr(0, text.find('=') + 1);
        bool known = name.empty() || name.starts_with("CULVER_");
        for (const std::string& other : call.environment) known = known || other.starts_with(name);
        if (!known) out.emplace_back(text);
    }
    return out;
}

// In the child, between fork and exec. `error_fd` tells the parent why there is no program.
[[noreturn]] void become_program(char* const* words, char* const* environment, int in, int out, int errors,
                                 int error_fd) {
    ::setsid();
    // Out of the way of 0 to 4 first: any of them may have any number.
    int null = ::open("/dev/null", O_RDWR);
    int moved[5] = {null, null, errors, in, out};
    for (int& fd : moved) fd = ::fcntl(fd, F_DUPFD, 16);
    error_fd = ::fcntl(error_fd, F_DUPFD_CLOEXEC, 32);
    for (int i = 0; i < 5; ++i) ::dup2(moved[i], i);
    if (error_fd > 5) ::syscall(SYS_close_range, 5u, static_cast<unsigned>(error_fd) - 1, 0u);
    ::syscall(SYS_close_range, static_cast<unsigned>(error_fd) + 1, ~0u, 0u);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    ::execve(words[0], words, environment);
    int why = errno;
    (void)!::write(error_fd, &why, sizeof why);
    ::_exit(kNotStarted);
}

// One running program and what is known of it.
class Run {
public:
    Run(const ProgramCall& call, const ProgramLimits& limits)
        : call_(call), limits_(limits), deadline_(Clock::now() + limits.time) {}

    ProgramResult operator()() {
        result_.end = ProgramResult::End::NotStarted;
        if (!start()) {
            result_.code = errno;
            return std::move(result_);
        }
        while (exchange()) {
        }
        finish();
        return std::move(result_);
    }

private:
    bool start() {
        Pipe why;
        if (call_.words.empty() || !open_pipe(in_) || !open_pipe(out_) || !open_pipe(errors_) || !open_pipe(why))
            return false;
        auto environment = full_environment(call_);
        auto words = pointers(call_.words), variables = pointers(environment);
        child_ = ::fork();
        if (child_ < 0) return false;
        if (child_ == 0)
            become_program(words.data(), variables.data(), in_.read.get(), out_.write.get(), errors_.write.get(),
                           why.write.get());
        result_.pid = child_;
        in_.read.reset();
        out_.write.reset();
        errors_.write.reset();
        why.write.reset();
        int reason = 0;
        if (::read(why.read.get(), &reason, sizeof reason) == sizeof reason) {
            ::waitpid(child_, nullptr, 0);
            errno = reason;
            return false;
        }
        result_.end = ProgramResult::End::Exited;
        feed();
        return true;
    }

    // The input fits into a pipe, so that nothing waits for a program that does not read it.
    void feed() {
        std::string_view input = call_.input.reveal();
        ::signal(SIGPIPE, SIG_IGN);
        (void)!::write(in_.write.get(), input.data(), input.size());
        in_.write.reset();
    }

    // One round; false once the program has ended or must be ended. A grandchild may hold the pipes for longer.
    bool exchange() {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
        if (left <= 0) return stop(ProgramResult::End::TimedOut);
        if (reap(WNOHANG)) return false;
        std::array<pollfd, 2> waits = {pollfd{out_.read.get(), POLLIN, 0}, pollfd{errors_.read.get(), POLLIN, 0}};
        // Both pipes closed: the end is near, but its only messenger is waitpid.
        bool closed = !out_.read && !errors_.read;
        ::poll(waits.data(), waits.size(), static_cast<int>(closed ? 5 : std::min<long long>(left, 50)));
        if (waits[0].revents != 0) take(out_.read, result_.output, limits_.output + 1);
        if (waits[1].revents != 0) take(errors_.read, result_.errors, limits_.errors);
        if (result_.output.size() > limits_.output) return stop(ProgramResult::End::TooLong);
        return true;
    }

    static void take(UniqueFd& fd, std::string& into, std::size_t limit) {
        char buffer[4096];
        ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
        if (size > 0)
            into.append(buffer, std::min(static_cast<std::size_t>(size), limit - std::min(limit, into.size())));
        else if (size == 0) fd.reset();
        ::explicit_bzero(buffer, sizeof buffer);
    }

    bool stop(ProgramResult::End why) {
        ::kill(-child_, SIGKILL);
        ::kill(child_, SIGKILL);
        reap(0);
        result_.end = why;
        return false;
    }

    bool reap(int options) {
        int status = 0;
        pid_t done;
        do done = ::waitpid(child_, &status, options);
        while (done < 0 && errno == EINTR);
        if (done != child_) return false;
        result_.end = WIFSIGNALED(status) ? ProgramResult::End::Killed : ProgramResult::End::Exited;
        result_.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
        return true;
    }

    // What is still in the pipes.
    void finish() {
        for (Pipe* pipe : {&out_, &errors_})
            if (pipe->read) ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);
        for (int i = 0; i < 16 && out_.read; ++i) {
            std::size_t before = result_.output.size();
            take(out_.read, result_.output, limits_.output + 1);
            if (result_.output.size() == before) break;
        }
        if (errors_.read) take(errors_.read, result_.errors, limits_.errors);
        if (result_.end == ProgramResult::End::Exited && result_.output.size() > limits_.output)
            result_.end = ProgramResult::End::TooLong;
    }

    const ProgramCall& call_;
    const ProgramLimits& limits_;
    const Clock::time_point deadline_;
    pid_t child_ = -1;
    Pipe in_, out_, errors_;
    ProgramResult result_;
};
}  // namespace

ProgramResult run_program(const ProgramCall& call, const ProgramLimits& limits) { return Run(call, limits)(); }

}  // namespace culver
