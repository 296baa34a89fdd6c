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
constexpr milliseconds kRetirePatience{15000};
constexpr std::size_t kKeptWorkerLimit = 65536;
constexpr std::size_t kControlMessageLimit = 64 << 10;

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

std::vector<std::string> ServiceGroup::take(std::shared_ptr<const Settings> settings) {
    const ServiceSettings* own = settings->find_service(name_);
    if (!own) return {fmt::format("service({}) is not configured", name_)};
    settings_ = std::move(settings);
    std::vector<std::string> problems;
    wanted_ = wanted_listeners(*settings_, *own, problems);
    pending_.clear();
    close_missing();
    return problems;
}

std::vector<std::string> ServiceGroup::apply() {
    std::vector<std::string> problems;
    adopt_changed();
    for (const WantedListener& each : wanted_) {
        const bool is_open =
            std::ranges::any_of(listeners_, [&](const Open& open) { return open.wanted.is_same_place(each); });
        if (!is_open) open_one(each, problems);
    }
    auto memfd = make_memfd(settings_for(name_, settings_)->serialize());
    if (!memfd) {
        problems.push_back(memfd.error().detail);
        return problems;
    }
    settings_fd_ = std::move(*memfd);
    forgive();
    if (std::string key = start_key(); std::exchange(start_key_, key) != key) replace_processes();
    else tell_settings();
    retire_surplus();
    if (started_) start_missing();
    return problems;
}

// What a process is from its start and can never change.
std::string ServiceGroup::start_key() const {
    std::string key = join(command(), " ");
    for (const std::string& word : context_.environment) key += "\n" + word;
    const auto add = [&](const char* service) {
        if (const ServiceSettings* own = settings_->find_service(service))
            key += fmt::format("\n{}\n{}\n{}\n{}\n{}", own->user, own->group, own->extra_groups, own->chroot,
                               own->vsz_limit);
    };
    add(name_.c_str());
    if (name_ == "auth") add("auth-worker");  // its helper processes
    if (name_ == "lmtp")                      // its front
        key += "\n" + settings_->string("default_internal_user") + "\n" + settings_->string("default_internal_group");
    return key;
}

// auth knows the logins that imap picks up, imap its workers: two at a time would know half of them each.
bool ServiceGroup::is_one_at_a_time() const { return name_ == "auth" || name_ == "imap"; }

void ServiceGroup::replace_processes() {
    for (auto& [pid, process] : processes_) retire(pid, process);
}

void ServiceGroup::retire_surplus() {
    std::size_t surplus = serving_processes() - std::min(serving_processes(), wanted_processes());
    for (auto& [pid, process] : processes_) {
        if (surplus == 0) return;
        if (process.retired) continue;
        retire(pid, process);
        --surplus;
    }
}

void ServiceGroup::retire(pid_t pid, Process& process) {
    if (std::exchange(process.retired, true)) return;
    if (!send_with_fds(process.control.get(), "RETIRE", {})) ::kill(pid, SIGTERM);
    if (!is_one_at_a_time()) return;
    context_.loop.after(kRetirePatience, [this, pid, alive = std::weak_ptr<int>(alive_)] {
        if (alive.expired() || !processes_.contains(pid)) return;
        log_warning(
            fmt::format("service({}): process {} does not make room for its successor, killing it", name_, pid));
        ::kill(pid, SIGKILL);
    });
}

// What failed with the old settings may work with the new ones.
void ServiceGroup::forgive() {
    context_.loop.cancel(throttle_timer_);
    throttled_ = false;
    pause_ = milliseconds(0);
}

bool ServiceGroup::open_one(const WantedListener& wanted, std::vector<std::string>& problems) {
    auto fd = open_listener(wanted);
    if (fd) {
        add_listener(wanted, std::move(*fd));
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
        add_listener(wanted, std::move(*fd));
        return true;
    });
    if (on_demand_ && processes_.empty()) watch_for_demand(true);
    if (!pending_.empty()) pending_timer_ = context_.loop.after(kPendingRetry, [this] { retry_pending(); });
}

void ServiceGroup::add_listener(const WantedListener& wanted, UniqueFd fd) {
    listeners_.push_back({.wanted = wanted, .fd = std::move(fd)});
    if (wanted.kind != ListenerKind::Inet) listeners_.back().file = FileIdentity::of(wanted.path);
    tell_listener("LISTEN", listeners_.back());
}

// What stays at its place keeps its socket, so that nobody finds the door closed who comes in that moment.
void ServiceGroup::adopt_changed() {
    std::erase_if(listeners_, [&](Open& open) {
        auto it =
            std::ranges::find_if(wanted_, [&](const WantedListener& each) { return each.is_same_place(open.wanted); });
        if (it == wanted_.end() || adopt(open, *it)) return false;
        tell_listener("UNLISTEN", open);
        if (open.watched) context_.loop.unwatch(open.fd.get());
        return true;
    });
}

// False: it has to be made anew.
bool ServiceGroup::adopt(Open& open, const WantedListener& wanted) {
    if (open.wanted.kind == ListenerKind::Inet) {
        if (open.wanted.reuse_port != wanted.reuse_port)
            restart_needs_.push_back(fmt::format("reuse_port of {} in service {}", wanted.describe(), name_));
    } else {
        if (open.file != FileIdentity::of(wanted.path)) return false;  // somebody removed the file
        if (!open.wanted.has_same_owner(wanted))
            if (Status changed = set_owner(wanted.path, wanted.owner); !changed) {
                log_error(fmt::format("service({}): {} keeps its owner and mode: {}", name_, wanted.path,
                                      changed.error().detail));
                return true;
            }
    }
    const bool is_told = open.wanted.has_same_line(wanted);
    if (!is_told) tell_listener("UNLISTEN", open);
    open.wanted = wanted;
    if (!is_told) tell_listener("LISTEN", open);
    return true;
}

void ServiceGroup::close_missing() {
    std::erase_if(listeners_, [&](Open& open) {
        if (std::ranges::any_of(wanted_, [&](const WantedListener& each) { return each.is_same_place(open.wanted); }))
            return false;
        tell_listener("UNLISTEN", open);
        if (open.watched) context_.loop.unwatch(open.fd.get());
        // The process still has it for a moment, and another listener may want a part of its place: * and 127.0.0.1.
        if (open.wanted.kind == ListenerKind::Inet) ::shutdown(open.fd.get(), SHUT_RDWR);
        else if (open.file == FileIdentity::of(open.wanted.path)) ::unlink(open.wanted.path.c_str());
        return true;
    });
}

void ServiceGroup::tell_listener(const char* verb, const Open& listener) {
    const std::string message = fmt::format("{}\n{}", verb, listener.wanted.line(listener.fd.get()).to_line());
    const int fds[] = {listener.fd.get()};
    for (auto& [pid, process] : processes_) {
        if (process.retired) continue;
        Status status = send_with_fds(process.control.get(), message, fds);
        if (!status)
            log_error(
                fmt::format("service({}): process {} does not hear the master: {}", name_, pid, status.error().detail));
    }
}

void ServiceGroup::tell_settings() {
    const int fds[] = {settings_fd_.get()};
    for (auto& [pid, process] : processes_) {
        if (process.retired) continue;
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

std::size_t ServiceGroup::serving_processes() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(processes_, [](const auto& each) { return !each.second.retired; }));
}

void ServiceGroup::start_missing() {
    if (throttled_ || stopping_) return;
    watch_for_demand(false);
    if (is_one_at_a_time() && serving_processes() < processes_.size()) return;  // on_exit starts it
    while (serving_processes() < wanted_processes()) {
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
                     .kept_workers = {},
                     .settings_fd = settings_fd_.get(),
                     .log_fd = log_fd->get(),
                     .error_fd = error_fd->get()};
    for (const Open& open : listeners_) start.listeners.push_back(open.wanted.line(open.fd.get()));
    for (const auto& [pid, worker] : kept_workers_) start.kept_workers.push_back(&worker);
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
    for (;;) {
        auto it = processes_.find(pid);
        if (it == processes_.end()) return;
        auto message = receive_with_fds(it->second.control.get(), kControlMessageLimit);
        if (!message && message.error().code == ErrorCode::Unavailable) return;
        if (!message && message.error().code == ErrorCode::Limit) continue;  // no service of ours says so much
        if (!message || message->bytes.empty())                              // SIGCHLD follows
            return context_.loop.unwatch(it->second.control.get());
        const std::string_view text = message->bytes;
        const std::string_view verb = text.substr(0, text.find('\n'));
        const std::string_view rest = text.substr(std::min(verb.size() + 1, text.size()));
        if (verb == "READY") it->second.ready = true;
        if (verb == "KEEP") keep_worker(rest, std::move(message->fds));
        if (verb == "FORGET") kept_workers_.erase(static_cast<pid_t>(parse_uint32(rest).value_or(0)));
    }
}

void ServiceGroup::keep_worker(std::string_view line, std::vector<UniqueFd> fds) {
    if (name_ != "imap" || fds.size() != 2 || kept_workers_.size() >= kKeptWorkerLimit) return;
    auto worker = KeptWorkerLine::parse(line);
    if (worker)
        kept_workers_[worker->pid] = {worker->pid, std::move(worker->about), std::move(fds[0]), std::move(fds[1])};
}

// Nobody else can ask them any more.
void ServiceGroup::end_kept_workers() {
    for (const auto& [pid, worker] : kept_workers_)
        [[maybe_unused]] Status told = send_with_fds(worker.channel.get(), "S", {});
    kept_workers_.clear();
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
    if (stopping_) {
        end_kept_workers();
        return true;
    }
    if (process.retired) {
        start_missing();
        return true;
    }
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
    if (processes_.empty()) end_kept_workers();
}

void ServiceGroup::kill(int signal_number) {
    for (auto& [pid, process] : processes_) ::kill(pid, signal_number);
}

}  // namespace culver
