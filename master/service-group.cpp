#include "master/service-group.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"
#include "lib-service/inheritance.h"
#include "lib-service/worker-process.h"
#include "master/child-process.h"

namespace culver {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstPause{2000}, kLongestPause{60000};
constexpr std::chrono::seconds kLongLife{60};
constexpr milliseconds kPendingRetry{2000};

// Who may hold private keys and the like; see Settings::without_secrets.
// lmtp gives its workers none; the process that speaks with clients needs ssl_key for STARTTLS.
std::shared_ptr<const Settings> settings_for(std::string_view service,
                                             const std::shared_ptr<const Settings>& settings) {
    if (service == "auth") return settings->with_secrets_of_auth();
    return service == "imap" ? settings->without_secrets() : settings;
}

}  // namespace

ServiceGroup::ServiceGroup(MasterContext& context, std::string name) : context_(context), name_(std::move(name)) {}

ServiceGroup::~ServiceGroup() {
    watch_for_demand(false);
    context_.loop.cancel(pending_timer_);
    context_.loop.cancel(throttle_timer_);
    for (auto& [pid, process] : processes_) context_.loop.unwatch(process.control.get());
}

std::vector<std::string> ServiceGroup::configure(std::shared_ptr<const Settings> settings) {
    std::vector<std::string> problems;
    const ServiceSettings* own = settings->find_service(name_);
    if (!own) return {fmt::format("service({}) is not configured", name_)};
    settings_ = settings;
    const auto wanted = wanted_listeners(*settings, *own, problems);
    pending_.clear();
    adopt_changed(wanted);
    close_missing(wanted);
    for (const WantedListener& each : wanted) {
        const bool is_open = std::ranges::any_of(listeners_, [&](const Open& open) { return open.wanted == each; });
        if (!is_open) open_one(each, problems);
    }
    auto memfd = make_memfd(settings_for(name_, settings)->serialize());
    if (!memfd) {
        problems.push_back(memfd.error().detail);
        return problems;
    }
    settings_fd_ = std::move(*memfd);
    tell_settings();
    if (started_) start_missing();
    return problems;
}

bool ServiceGroup::open_one(const WantedListener& wanted, std::vector<std::string>& problems) {
    auto fd = open_listener(wanted);
    if (fd) {
        listeners_.push_back({wanted, std::move(*fd)});
        tell_listener("LISTEN", listeners_.back());
        return true;
    }
    if (wanted.optional && fd.error().code == ErrorCode::Unsupported) return false;
    if (wanted.kind != ListenerKind::Inet && fd.error().code == ErrorCode::NotFound) {
        log_warning(
            fmt::format("service({}): {} cannot be created yet: its directory does not exist; it will be created as "
                        "soon as the directory is there",
                        name_, wanted.path));
        pending_.push_back(wanted);
        if (pending_timer_ == 0) pending_timer_ = context_.loop.after(kPendingRetry, [this] { retry_pending(); });
        return false;
    }
    problems.push_back(fmt::format("service({}): {} failed: {}", name_, wanted.describe(), fd.error().detail));
    return false;
}

void ServiceGroup::retry_pending() {
    pending_timer_ = 0;
    std::erase_if(pending_, [&](const WantedListener& wanted) {
        auto fd = open_listener(wanted);
        if (!fd && fd.error().code == ErrorCode::NotFound) return false;
        if (!fd) {
            log_error(fmt::format("service({}): {}", name_, fd.error().detail));
            return true;
        }
        log_info(fmt::format("service({}): {} created", name_, wanted.path));
        listeners_.push_back({wanted, std::move(*fd)});
        tell_listener("LISTEN", listeners_.back());
        return true;
    });
    if (on_demand_ && processes_.empty()) watch_for_demand(true);
    if (!pending_.empty()) pending_timer_ = context_.loop.after(kPendingRetry, [this] { retry_pending(); });
}

// A port whose label or ssl flag changed keeps its socket: bound anew, it would be in use by the process that still has
// it.
void ServiceGroup::adopt_changed(const std::vector<WantedListener>& wanted) {
    for (Open& open : listeners_) {
        if (open.wanted.kind != ListenerKind::Inet) continue;
        auto it =
            std::ranges::find_if(wanted, [&](const WantedListener& each) { return each.key() == open.wanted.key(); });
        if (it == wanted.end() || *it == open.wanted) continue;
        tell_listener("UNLISTEN", open);
        open.wanted = *it;
        tell_listener("LISTEN", open);
    }
}

void ServiceGroup::close_missing(const std::vector<WantedListener>& wanted) {
    std::erase_if(listeners_, [&](Open& open) {
        if (std::ranges::any_of(wanted, [&](const WantedListener& each) { return each == open.wanted; })) return false;
        tell_listener("UNLISTEN", open);
        if (open.watched) context_.loop.unwatch(open.fd.get());
        if (open.wanted.kind != ListenerKind::Inet) ::unlink(open.wanted.path.c_str());
        return true;
    });
}

void ServiceGroup::tell_listener(const char* verb, const Open& listener) {
    const std::string message = fmt::format("{}\n{}", verb, listener.wanted.line(listener.fd.get()).to_line());
    const int fds[] = {listener.fd.get()};
    const bool passes_fd = std::string_view(verb) == "LISTEN";
    for (auto& [pid, process] : processes_) {
        Status status = send_with_fds(process.control.get(), message, std::span(fds, passes_fd ? 1u : 0u));
        if (!status)
            log_error(
                fmt::format("service({}): process {} does not hear the master: {}", name_, pid, status.error().detail));
    }
}

void ServiceGroup::tell_settings() {
    const int fds[] = {settings_fd_.get()};
    for (auto& [pid, process] : processes_) {
        if (Status status = send_with_fds(process.control.get(), "RELOAD", fds); !status)
            log_error(
                fmt::format("service({}): process {} keeps its old settings: {}", name_, pid, status.error().detail));
    }
}

void ServiceGroup::start(StartWhen when) {
    started_ = true;
    on_demand_ = when == StartWhen::OnConnect;
    if (on_demand_ && processes_.empty()) watch_for_demand(true);
    else start_missing();
}

std::size_t ServiceGroup::wanted_processes() const {
    const ServiceSettings* own = settings_->find_service(name_);
    // Dispatchers have workers of their own; auth keeps its requests in one place. Only login processes come in
    // numbers.
    if (!own || own->type != "login") return 1;
    return std::clamp<std::size_t>(own->process_min_avail, 1, 64);
}

void ServiceGroup::start_missing() {
    if (throttled_ || stopping_) return;
    watch_for_demand(false);
    while (processes_.size() < wanted_processes()) {
        const std::size_t before = processes_.size();
        start_process();
        if (processes_.size() == before) return;
    }
}

std::vector<std::string> ServiceGroup::command() const {
    const ServiceSettings* own = settings_->find_service(name_);
    std::vector<std::string> words;
    for (std::string_view word : split_words(own ? own->executable : name_)) words.emplace_back(word);
    if (words.empty()) words.push_back(name_);
    if (!words[0].starts_with('/')) words[0] = context_.program_directory + "/" + words[0];
    return words;
}

void ServiceGroup::start_process() {
    auto log_fd = context_.logs.log_socket();
    auto error_fd = context_.logs.error_pipe(name_);
    if (!log_fd || !error_fd) {
        log_error(fmt::format("service({}): no descriptors left for its log: {}", name_,
                              (!log_fd ? log_fd : error_fd).error().detail));
        return throttle(true);
    }
    ChildStart start{.service = name_,
                     .command = command(),
                     .environment = context_.environment,
                     .listeners = {},
                     .settings_fd = settings_fd_.get(),
                     .log_fd = log_fd->get(),
                     .error_fd = error_fd->get()};
    for (const Open& open : listeners_) start.listeners.push_back(open.wanted.line(open.fd.get()));
    auto child = start_child(start);
    if (!child) {
        log_error(fmt::format("service({}): {}", name_, child.error().detail));
        return throttle(true);
    }
    const pid_t pid = child->pid;
    context_.loop.watch(child->control.get(), Interest::Read, [this, pid](Ready) { read_control(pid); });
    processes_[pid] = Process{std::move(child->control), EventLoop::Clock::now()};
}

void ServiceGroup::read_control(pid_t pid) {
    auto it = processes_.find(pid);
    if (it == processes_.end()) return;
    auto message = receive_with_fds(it->second.control.get(), 4096);
    if (!message && message.error().code == ErrorCode::Unavailable) return;
    if (!message || message->bytes.empty()) return context_.loop.unwatch(it->second.control.get());  // SIGCHLD follows
    if (message->bytes == "READY") it->second.ready = true;
}

bool ServiceGroup::on_exit(pid_t pid, int wait_status) {
    auto it = processes_.find(pid);
    if (it == processes_.end()) return false;
    read_control(pid);
    const Process process = std::move(it->second);
    context_.loop.unwatch(process.control.get());
    processes_.erase(it);
    context_.logs.drain();
    const bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    if (!clean) log_error(fmt::format("service({}): child {} {}", name_, pid, describe_exit(wait_status)));
    if (stopping_) return true;
    const auto lived = EventLoop::Clock::now() - process.started;
    if (process.ready && lived >= kLongLife) pause_ = milliseconds(0);
    if (process.ready && pause_.count() == 0) {
        pause_ = milliseconds(1);  // the next early death waits
        start_missing();
    } else {
        throttle(!process.ready);
    }
    return true;
}

void ServiceGroup::throttle(bool startup_failed) {
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    log_error(fmt::format("service({}): command {}, throttling for {:.3f} secs", name_,
                          startup_failed ? "startup failed" : "died early",
                          static_cast<double>(pause_.count()) / 1000));
    throttled_ = true;
    if (processes_.empty()) watch_for_demand(true);
    context_.loop.cancel(throttle_timer_);
    throttle_timer_ = context_.loop.after(pause_, [this, startup_failed] {
        throttled_ = false;
        // Inet listeners wait in the kernel's queue; who connected to a UNIX socket was sent away and comes again.
        if (!startup_failed || !on_demand_) return start_missing();
    });
}

void ServiceGroup::watch_for_demand(bool wanted) {
    for (Open& open : listeners_) {
        if (open.watched == wanted || (wanted && open.wanted.kind != ListenerKind::Unix)) continue;
        open.watched = wanted;
        const int fd = open.fd.get();
        if (wanted) context_.loop.watch(fd, Interest::Read, [this, fd](Ready) { on_demand(fd); });
        else context_.loop.unwatch(fd);
    }
}

void ServiceGroup::on_demand(int fd) {
    if (!throttled_) return start_missing();
    while (accept_connection(fd)) {  // closed at once: it hears that the service is down
    }
}

void ServiceGroup::stop() {
    stopping_ = true;
    watch_for_demand(false);
    context_.loop.cancel(throttle_timer_);
    context_.loop.cancel(pending_timer_);
    for (auto& [pid, process] : processes_) {
        if (!send_with_fds(process.control.get(), "STOP", {})) ::kill(pid, SIGTERM);
    }
    listeners_.clear();
}

void ServiceGroup::kill(int signal_number) {
    for (auto& [pid, process] : processes_) ::kill(pid, signal_number);
}

}  // namespace culver
