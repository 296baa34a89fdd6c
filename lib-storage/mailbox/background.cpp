#include "lib-storage/mailbox/background.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace culver {

namespace {
constexpr std::uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
}

Background::~Background() { stop(); }

void Background::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (flusher_.joinable()) flusher_.join();
    {
        std::lock_guard lock(watch_mutex_);
        watch_stopped_ = true;
        if (stop_) ::eventfd_write(stop_.get(), 1);
    }
    if (watcher_.joinable()) watcher_.join();
    flush_all();
}

void Background::schedule(std::shared_ptr<BackgroundClient> client, std::chrono::milliseconds delay) {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (!flusher_.joinable()) flusher_ = std::thread([this] { run_flusher(); });
    Clock::time_point when = Clock::now() + delay;
    auto [at, is_new] = due_.try_emplace(std::move(client), when);
    if (!is_new && at->second <= when) return;
    at->second = when;
    wake_.notify_all();
}

void Background::run_flusher() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        auto next = std::min_element(due_.begin(), due_.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
        if (next == due_.end()) {
            wake_.wait(lock);
            continue;
        }
        if (const Clock::time_point when = next->second; when > Clock::now()) {
            wake_.wait_until(lock, when);  // a copy: the entry may go meanwhile
            continue;
        }
        std::shared_ptr<BackgroundClient> client = next->first;
        due_.erase(next);
        lock.unlock();
        auto again = client->flush();
        if (again.count() > 0) schedule(client, again);
        client.reset();
        lock.lock();
    }
}

void Background::flush_all() {
    for (int round = 0; round < 3; ++round) {
        std::map<std::shared_ptr<BackgroundClient>, Clock::time_point> due;
        {
            std::lock_guard lock(mutex_);
            due.swap(due_);
        }
        if (due.empty()) return;
        for (const auto& [client, when] : due) {
            // Large mailboxes are written out in several steps.
            for (int step = 0; step < 1000 && client->flush() == std::chrono::milliseconds(1); ++step) {
            }
        }
    }
}

bool Background::start_watcher() {
    if (inotify_ || watch_stopped_) return !watch_stopped_;
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!inotify_ || !stop_) {
        inotify_.reset();
        return false;
    }
    watcher_ = std::thread([this] { run_watcher(); });
    return true;
}

bool Background::watch(std::weak_ptr<BackgroundClient> client, const std::vector<std::string>& directories) {
    std::lock_guard lock(watch_mutex_);
    if (!start_watcher()) return false;
    auto held = client.lock();
    bool complete = true;
    for (std::size_t i = 0; i < directories.size(); ++i) {
        int wd = ::inotify_add_watch(inotify_.get(), directories[i].c_str(), kEvents);
        if (wd < 0) {
            complete = false;
            continue;
        }
        watches_.emplace(wd, Watch{client, held.get(), static_cast<int>(i)});
    }
    return complete;
}

void Background::unwatch(const BackgroundClient* client) {
    std::lock_guard lock(watch_mutex_);
    for (auto at = watches_.begin(); at != watches_.end();) {
        if (at->second.key != client) {
            ++at;
            continue;
        }
        int wd = at->first;
        at = watches_.erase(at);
        if (watches_.find(wd) == watches_.end()) ::inotify_rm_watch(inotify_.get(), wd);
    }
}

void Background::run_watcher() {
    alignas(struct inotify_event) char buffer[16384];
    while (true) {
        struct pollfd fds[2] = {{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
        if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
        if (fds[1].revents != 0) return;
        ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
        if (size > 0) handle_events(buffer, static_cast<std::size_t>(size));
    }
}

void Background::handle_events(const char* buffer, std::size_t size) {
    std::set<std::shared_ptr<BackgroundClient>> changed;
    {
        std::lock_guard lock(watch_mutex_);
        for (std::size_t at = 0; at + sizeof(struct inotify_event) <= size;) {
            struct inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            std::string_view name;
            if (event.len > 0) name = buffer + at + sizeof event;
            at += sizeof event + event.len;
            // A full queue lost events of unknown directories: everybody looks.
            bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
            auto [begin, end] = overflow ? std::pair(watches_.begin(), watches_.end()) : watches_.equal_range(event.wd);
            for (auto watch = begin; watch != end; ++watch)
                if (auto client = watch->second.client.lock();
                    client && (overflow || client->is_interesting(watch->second.which, name)))
                    changed.insert(std::move(client));
            if ((event.mask & IN_IGNORED) != 0) watches_.erase(event.wd);
        }
    }
    for (const auto& client : changed) client->on_directory_event();
}

}  // namespace culver
