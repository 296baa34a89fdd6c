// The side of authd; what runs in the forked processes is in helper-supervisor.cpp.
#include "authd/helper-processes.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "authd/helper-supervisor.h"
#include "lib-net/event-loop.h"
#include "lib-net/socket.h"

namespace culver {

namespace {
constexpr std::size_t kIdleLimit = 16;
constexpr std::chrono::seconds kPatience{10};
constexpr int kForkMilliseconds = 10'000;
constexpr unsigned kGraceSeconds = 5;  // beyond the helper's own alarm

bool wait_readable(int fd, int milliseconds) {
    pollfd ready{fd, POLLIN, 0};
    int count;
    do count = ::poll(&ready, 1, milliseconds);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

// A buffer that held a question or an answer: both may be secrets.
class WipedBuffer {
public:
    WipedBuffer() : bytes_(HelperProcesses::kMessageLimit + 1, '\0') {}
    ~WipedBuffer() { ::explicit_bzero(bytes_.data(), bytes_.size()); }
    char* data() { return bytes_.data(); }
    std::size_t size() const { return bytes_.size(); }

private:
    std::string bytes_;
};
}  // namespace

Result<std::unique_ptr<HelperProcesses>> HelperProcesses::start(std::vector<HelperKind> kinds) {
    auto channel = TRY(socket_pair(SOCK_SEQPACKET, Blocking::Yes));
    auto lifeline = TRY(socket_pair(SOCK_STREAM, Blocking::Yes));
    std::unique_ptr<HelperProcesses> self(new HelperProcesses);
    for (const HelperKind& kind : kinds) self->kinds_.push_back({kind.seconds, kind.at_once, 0, {}});
    pid_t child = ::fork();
    if (child < 0) return fail_errno("fork()");
    if (child == 0) supervise_helpers(channel.second.get(), lifeline.second.get(), kinds);
    self->channel_ = std::move(channel.first);
    self->lifeline_ = std::move(lifeline.first);
    return self;
}

HelperProcesses::~HelperProcesses() = default;

void HelperProcesses::on_supervisor_lost(EventLoop& loop, std::function<void()> lost) {
    loop.watch(lifeline_.get(), Interest::Read, [this, &loop, lost = std::move(lost)](Ready) {
        auto call = lost;
        loop.unwatch(lifeline_.get());
        call();
    });
}

void HelperProcesses::stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    for (int helper : waited_for_) ::shutdown(helper, SHUT_RDWR);
    turn_free_.notify_all();
}

bool HelperProcesses::begin_wait(int helper) {
    std::lock_guard lock(mutex_);
    if (!stopped_) waited_for_.push_back(helper);
    return !stopped_;
}

void HelperProcesses::end_wait(int helper) {
    std::lock_guard lock(mutex_);
    std::erase(waited_for_, helper);
}

// Waits until fewer than `at_once` helpers of the kind are at work.
Status HelperProcesses::take_turn(Kind& kind) {
    std::unique_lock lock(mutex_);
    bool free = turn_free_.wait_for(lock, kPatience, [&] { return stopped_ || kind.working < kind.at_once; });
    if (stopped_) return fail(ErrorCode::Unavailable, "auth is ending");
    if (!free)
        return fail(ErrorCode::Unavailable,
                    fmt::format("all {} processes were busy for {} secs", kind.at_once, kPatience.count()));
    ++kind.working;
    return {};
}

void HelperProcesses::turn_over(Kind& kind, UniqueFd kept) {
    {
        std::lock_guard lock(mutex_);
        --kind.working;
        if (kept && kind.idle.size() < kIdleLimit) kind.idle.push_back(std::move(kept));
    }
    turn_free_.notify_all();
}

Result<UniqueFd> HelperProcesses::take_helper(std::size_t number) {
    {
        std::lock_guard lock(mutex_);
        Kind& kind = kinds_[number];
        while (!kind.idle.empty()) {
            UniqueFd helper = std::move(kind.idle.back());
            kind.idle.pop_back();
            // An idle helper has nothing to say; one that can be read has died.
            if (!wait_readable(helper.get(), 0)) return helper;
        }
    }
    return fork_helper(number);
}

Result<UniqueFd> HelperProcesses::fork_helper(std::size_t number) {
    std::lock_guard lock(channel_mutex_);
    const char order = static_cast<char>(number);
    if (!channel_ || ::send(channel_.get(), &order, 1, MSG_NOSIGNAL) != 1)
        return fail(ErrorCode::Unavailable, "the supervisor of auth's helper processes has died");
    if (!wait_readable(channel_.get(), kForkMilliseconds)) {
        channel_.reset();  // what comes later belongs to nobody; the supervisor ends by this
        return fail(ErrorCode::Unavailable, "the supervisor of auth's helper processes does not answer");
    }
    auto answer = TRY(receive_with_fds(channel_.get(), 16));
    if (answer.fds.empty()) return fail(ErrorCode::Unavailable, "no process could be started");
    return std::move(answer.fds.front());
}

Result<std::string> HelperProcesses::ask(std::size_t number, std::string_view question) {
    if (question.size() > kMessageLimit) return fail(ErrorCode::InvalidArgument, "the request is too long");
    Kind& kind = kinds_[number];
    TRY(take_turn(kind));
    auto helper = take_helper(number);
    if (!helper) {
        turn_over(kind, {});
        return fail(helper.error());
    }
    if (!begin_wait(helper->get())) {
        turn_over(kind, {});
        return fail(ErrorCode::Unavailable, "auth is ending");
    }
    WipedBuffer buffer;
    ssize_t size = ::send(helper->get(), question.data(), question.size(), MSG_NOSIGNAL);
    if (size >= 0) {
        bool ready = wait_readable(helper->get(), static_cast<int>((kind.seconds + kGraceSeconds) * 1000));
        size = ready ? ::recv(helper->get(), buffer.data(), buffer.size(), 0) : -1;
    }
    end_wait(helper->get());
    if (size <= 0) {
        turn_over(kind, {});
        return fail(ErrorCode::Timeout, fmt::format("it took more than {} secs or crashed", kind.seconds));
    }
    turn_over(kind, buffer.data()[0] == kHelperStays ? std::move(*helper) : UniqueFd{});
    return std::string(buffer.data() + 1, static_cast<std::size_t>(size) - 1);
}

}  // namespace culver
