#include "imapd/session-pool.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

#include "lib-base/assert.h"
#include "lib-base/log.h"

namespace culver {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kStopToken = 0;  // ids begin at 1
// Each thread waits for one client at most, so this is a bound on stuck clients; beyond it the others wait.
constexpr unsigned kThreadLimit = 1024;
constexpr std::size_t kStackSize = 1 << 20;  // parsers do not recurse on input
constexpr std::chrono::minutes kLongestSleep{1};
constexpr std::chrono::minutes kStuckTimeout{5};

std::int64_t ticks(Clock::time_point time) { return time.time_since_epoch().count(); }

}  // namespace

struct SessionPool::Entry {
    std::uint64_t id = 0;
    int fd = -1;
    std::unique_ptr<ImapSession> session;  // used by the thread that works on it
    std::atomic<std::int64_t> deadline{0};

    std::mutex mutex;  // guards what follows, and the order of arming
    bool working = false, woken = false, gone = false;
    bool overdue = false;  // its time had come and it was woken, but its socket took nothing
};

SessionPool::SessionPool(unsigned threads, std::function<void(std::uint64_t)> on_end)
    : threads_(threads), on_end_(std::move(on_end)), next_wake_(ticks(Clock::now() + kLongestSleep)) {
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    stop_event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    ASSERT(epoll_ && stop_event_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kStopToken;
    ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_event_.get(), &event) == 0);
    start_thread_if_needed();
}

SessionPool::~SessionPool() {
    std::unique_lock lock(threads_mutex_);
    stopping_ = true;
    const std::uint64_t one = 1;
    (void)!::write(stop_event_.get(), &one, sizeof one);
    thread_gone_.wait(lock, [this] { return total_ == 0; });
}

void SessionPool::add(std::uint64_t id, UniqueFd client, SessionStart start) {
    auto entry = std::make_shared<Entry>();
    entry->id = id;
    entry->fd = client.get();
    entry->deadline = ticks(Clock::time_point::max());
    const std::weak_ptr<Entry> weak = entry;
    entry->session = std::make_unique<ImapSession>(std::move(client), this, std::move(start), [this, weak] {
        if (auto alive = weak.lock()) wake(*alive);
    });
    {
        const std::lock_guard lock(entries_mutex_);
        entries_.emplace(id, entry);
    }
    // Writable at once: the first event comes immediately, and the session says that the client is logged in.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT;
    event.data.u64 = id;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry->fd, &event) != 0) {
        log_error(Error::from_errno(errno, "epoll_ctl(session)").detail);
        finish(entry);
    }
}

std::shared_ptr<SessionPool::Entry> SessionPool::find(std::uint64_t id) {
    const std::lock_guard lock(entries_mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second;
}

void SessionPool::arm(Entry& entry, std::uint32_t events) {
    epoll_event event{};
    event.events = events | EPOLLONESHOT;
    event.data.u64 = entry.id;
    ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, entry.fd, &event) == 0);
}

// A parked client's socket is normally writable, so asking for that makes the event come at once; if it is not (it does
// not read), there is no use in waking the session.
void SessionPool::wake(Entry& entry) {
    const std::lock_guard lock(entry.mutex);
    if (entry.gone) return;
    entry.woken = true;
    if (!entry.working) arm(entry, EPOLLIN | EPOLLOUT);
}

void SessionPool::handle(std::uint64_t id) {
    const std::shared_ptr<Entry> entry = find(id);
    if (!entry) return;
    {
        const std::lock_guard lock(entry->mutex);
        if (entry->gone) return;
        if (entry->working) {  // woken between another thread's event and its taking the session
            entry->woken = true;
            return;
        }
        entry->working = true;
        entry->woken = entry->overdue = false;
    }
    for (;;) {
        const ImapSession::Next next = entry->session->work();
        if (next == ImapSession::Next::End) return finish(entry);
        const auto deadline = ticks(entry->session->deadline());
        entry->deadline = deadline;
        {
            const std::lock_guard lock(entry->mutex);
            if (!entry->woken) {
                entry->working = false;
                arm(*entry, next == ImapSession::Next::Again ? EPOLLIN | EPOLLOUT : EPOLLIN);
                if (deadline >= next_wake_.load() || !on_earlier_) return;
            } else {
                entry->woken = false;
                continue;
            }
        }
        return on_earlier_();
    }
}

void SessionPool::finish(const std::shared_ptr<Entry>& entry) {
    {
        const std::lock_guard lock(entry->mutex);
        entry->gone = true;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry->fd, nullptr);
    }
    entry->session.reset();
    on_end_(entry->id);
    const std::lock_guard lock(entries_mutex_);
    entries_.erase(entry->id);
    if (entries_.empty()) empty_.notify_all();
}

void SessionPool::stop() {
    std::vector<std::shared_ptr<Entry>> all;
    {
        const std::lock_guard lock(entries_mutex_);
        for (const auto& [id, entry] : entries_) all.push_back(entry);
    }
    for (const auto& entry : all) say_goodbye(*entry);
}

void SessionPool::end(std::uint64_t id) {
    if (const auto entry = find(id)) say_goodbye(*entry);
}

void SessionPool::say_goodbye(Entry& entry) {
    {
        const std::lock_guard lock(entry.mutex);
        if (!entry.gone) entry.session->request_shutdown();
    }
    wake(entry);
}

std::size_t SessionPool::size() const {
    const std::lock_guard lock(entries_mutex_);
    return entries_.size();
}

bool SessionPool::wait_until_empty(std::chrono::milliseconds timeout) {
    std::unique_lock lock(entries_mutex_);
    return empty_.wait_for(lock, timeout, [this] { return entries_.empty(); });
}

Clock::time_point SessionPool::wake_due() {
    const auto now = Clock::now();
    auto earliest = ticks(now + kLongestSleep);
    std::vector<std::shared_ptr<Entry>> due;
    next_wake_ = earliest;  // before looking: a deadline set meanwhile either is seen below or pokes
    {
        const std::lock_guard lock(entries_mutex_);
        for (const auto& [id, entry] : entries_) {
            const std::int64_t deadline = entry->deadline.load();
            if (deadline <= ticks(now)) due.push_back(entry);
            else earliest = std::min(earliest, deadline);
        }
    }
    for (const auto& entry : due) {
        entry->deadline = ticks(now + kStuckTimeout);  // the next parking sets it again
        {
            // A client that takes nothing for so long is not there: its socket becomes readable with an end of file.
            const std::lock_guard lock(entry->mutex);
            if (entry->overdue && !entry->working && !entry->gone) ::shutdown(entry->fd, SHUT_RDWR);
            entry->overdue = !entry->working;
        }
        wake(*entry);
    }
    next_wake_ = earliest;
    return Clock::time_point(Clock::duration(earliest));
}

// ---- threads

void SessionPool::start_thread_if_needed() {
    {
        const std::lock_guard lock(threads_mutex_);
        if (stopping_ || waiting_ > 0 || total_ - blocked_ >= threads_ || total_ >= kThreadLimit) return;
        ++total_;
    }
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackSize);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int error = ::pthread_create(
        &thread, &attributes,
        [](void* pool) -> void* {
            static_cast<SessionPool*>(pool)->run_thread();
            return nullptr;
        },
        this);
    pthread_attr_destroy(&attributes);
    if (error == 0) return;
    const std::lock_guard lock(threads_mutex_);
    --total_;  // those that are there go on
    ASSERT(total_ > 0);
}

void SessionPool::run_thread() {
    for (;;) {
        {
            const std::lock_guard lock(threads_mutex_);
            // Replacements for blocked threads go when those are back.
            if (stopping_ || (total_ - blocked_ > threads_ && waiting_ > 0)) {
                --total_;
                thread_gone_.notify_all();
                return;
            }
            ++waiting_;
        }
        epoll_event event{};
        int ready;
        do ready = ::epoll_wait(epoll_.get(), &event, 1, -1);
        while (ready < 0 && errno == EINTR);
        {
            const std::lock_guard lock(threads_mutex_);
            --waiting_;
        }
        if (ready < 1 || event.data.u64 == kStopToken) continue;
        start_thread_if_needed();
        handle(event.data.u64);
    }
}

void SessionPool::begin_blocking() {
    {
        const std::lock_guard lock(threads_mutex_);
        ++blocked_;
    }
    start_thread_if_needed();
}

void SessionPool::end_blocking() {
    const std::lock_guard lock(threads_mutex_);
    --blocked_;
}

}  // namespace culver
