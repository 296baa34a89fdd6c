#include "lib-service/worker-pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <unordered_map>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-service/inheritance.h"
#include "lib-service/worker-process.h"

namespace culver {
namespace {

constexpr std::size_t kMessageLimit = 64 << 10;
constexpr std::uint64_t kMemoryShares = 16;  // a worker of many jobs may have so many times vsz_limit

struct Worker {
    WorkerProcess process;
    WorkerIdentity identity;
    std::uint32_t jobs = 0, jobs_taken = 0;
    bool stopping = false;
    bool retired = false;  // gets no further job
    bool adopted = false;  // a child of an earlier dispatcher
    EventLoop::TimerId idle_timer = 0;
};

}  // namespace

struct WorkerPool::Impl {
    Service& service;
    WorkerPoolOptions options;
    std::function<void(pid_t, std::string_view)> on_message;
    std::function<void(pid_t, std::string_view)> on_exit;
    std::string executable;
    UniqueFd settings_fd;
    std::unordered_map<pid_t, std::unique_ptr<Worker>> workers;
    std::uint64_t memory = 0;  // that each of the workers may have
    bool stopped = false;

    std::uint64_t memory_limit() const;
    bool is_used_up(const Worker& worker) const;
    void adopt(KeptWorker kept);
    Worker& watch(std::unique_ptr<Worker> worker);
    Status keep(const Worker& worker);
    void retire(Worker& worker);
    Status check_identity(const WorkerIdentity& identity) const;
    Worker* find_room(const WorkerIdentity& identity);
    Result<Worker*> start(const WorkerIdentity& identity);
    void read_channel(pid_t pid);
    void reap(pid_t pid);
    void end(Worker& worker);
    void arm_idle_timer(Worker& worker);
    Status refresh_settings();
    void unwatch(Worker& worker);
};

WorkerPool::WorkerPool(Service& service, WorkerPoolOptions options,
                       std::function<void(pid_t, std::string_view message)> on_message,
                       std::function<void(pid_t, std::string_view reason)> on_exit)
    : impl_(new Impl{.service = service,
                     .options = options,
                     .on_message = std::move(on_message),
                     .on_exit = std::move(on_exit),
                     .executable = {},
                     .settings_fd = {},
                     .workers = {}}) {
    if (auto path = own_executable()) impl_->executable = *path;
    impl_->memory = impl_->memory_limit();
    if (Status status = impl_->refresh_settings(); !status) log_error("Settings for workers: " + status.error().detail);
    for (KeptWorker& kept : service.take_kept_workers()) impl_->adopt(std::move(kept));
}

WorkerPool::~WorkerPool() {
    for (auto& [pid, worker] : impl_->workers) impl_->unwatch(*worker);
}

Status WorkerPool::Impl::refresh_settings() {
    settings_fd = TRY(make_memfd(service.settings()->without_secrets()->serialize()));
    return {};
}

namespace {

// `kind` is UID or GID; the settings that bound it are first_valid_<setting> and last_valid_<setting>.
Status check_range(const Settings& settings, std::string_view kind, const std::string& setting, std::uint64_t value) {
    const std::uint64_t first = settings.number("first_valid_" + setting),
                        last = settings.number("last_valid_" + setting);
    if (value >= first && (last == 0 || value <= last)) return {};
    const std::string name = (value < first ? "first_valid_" : "last_valid_") + setting;
    return fail(ErrorCode::NoPermission,
                fmt::format("Mail access for users with {} {} not permitted (see {} = {} in config file; {} "
                            "from userdb lookup)",
                            kind, value, name, value < first ? first : last, setting));
}

bool is_below(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) &&
           (path.size() == directory.size() || directory.ends_with('/') || path[directory.size()] == '/');
}

// A userdb may lock its users only into what valid_chroot_dirs names; mail_chroot is the admin's own word.
Status check_chroot(const Settings& settings, const std::string& chroot) {
    if (chroot.empty()) return {};
    const std::string& own = settings.string("mail_chroot");
    if (chroot.find("..") == std::string::npos) {
        if (chroot == own) return {};
        if (auto variable = own.find('%');
            variable != std::string::npos && variable > 0 && chroot.starts_with(own.substr(0, variable)))
            return {};
        for (std::string_view directory : split(settings.string("valid_chroot_dirs"), ':'))
            if (!directory.empty() && is_below(chroot, directory)) return {};
    }
    return fail(ErrorCode::NoPermission,
                fmt::format("Invalid settings in userdb: chroot to {} is not below any directory of valid_chroot_dirs",
                            chroot));
}

}  // namespace

Status WorkerPool::Impl::check_identity(const WorkerIdentity& identity) const {
    if (service.is_unprivileged()) return {};
    if (identity.uid == 0)
        return fail(ErrorCode::NoPermission,
                    "Invalid settings in userdb: userdb returned 0 as uid. Mail is never handled as "
                    "root: let the userdb (or mail_uid) name another user");
    TRY(check_range(*service.settings(), "UID", "uid", identity.uid));
    TRY(check_range(*service.settings(), "GID", "gid", identity.gid));
    return check_chroot(*service.settings(), identity.chroot);
}

Worker* WorkerPool::Impl::find_room(const WorkerIdentity& identity) {
    for (auto& [pid, worker] : workers) {
        if (worker->stopping || worker->retired || worker->jobs >= options.jobs_per_worker) continue;
        if (is_used_up(*worker)) continue;
        if (service.is_unprivileged() || worker->identity == identity) return worker.get();
    }
    return nullptr;
}

Result<Worker*> WorkerPool::Impl::start(const WorkerIdentity& identity) {
    if (workers.size() >= options.worker_limit)
        return fail(ErrorCode::Limit,
                    fmt::format("service({}): process_limit ({}) reached, client connections are being dropped",
                                service.name(), options.worker_limit));
    WorkerStart parameters{
        .executable = executable,
        .service = service.name(),
        .target = {identity.uid, identity.gid, identity.groups, identity.chroot},
        .change_user = !service.is_unprivileged(),
        .memory_limit = memory,
        .settings_fd = settings_fd.get(),
        .log_fd = service_log_fd(),
    };
    auto worker = std::make_unique<Worker>();
    worker->process = TRY(start_worker(parameters));
    worker->identity = identity;
    if (Status kept = keep(*worker); !kept)
        log_warning(
            fmt::format("worker {} would not outlive a crash here: {}", worker->process.pid, kept.error().detail));
    return &watch(std::move(worker));
}

Worker& WorkerPool::Impl::watch(std::unique_ptr<Worker> worker) {
    const pid_t pid = worker->process.pid;
    service.loop().watch(worker->process.channel.get(), Interest::Read, [this, pid](Ready) { read_channel(pid); });
    service.loop().watch(worker->process.pidfd.get(), Interest::Read, [this, pid](Ready) { reap(pid); });
    return *(workers[pid] = std::move(worker));
}

std::uint64_t WorkerPool::Impl::memory_limit() const {
    const ServiceSettings* own = service.settings()->find_service(service.name());
    return own ? own->vsz_limit * std::min<std::uint64_t>(options.jobs_per_worker, kMemoryShares) : 0;
}

bool WorkerPool::Impl::is_used_up(const Worker& worker) const {
    return options.jobs_in_life > 0 && worker.jobs_taken >= options.jobs_in_life;
}

// What the next dispatcher has to know: who the worker is, and whether it may get jobs.
Status WorkerPool::Impl::keep(const Worker& worker) {
    if (!options.outlive_dispatcher) return {};
    KeptWorker kept;
    kept.pid = worker.process.pid;
    kept.about = fmt::format("{}\t{}", worker.retired ? "retired" : "serving", worker.identity.to_words());
    kept.channel.reset(::fcntl(worker.process.channel.get(), F_DUPFD_CLOEXEC, 0));
    kept.pidfd.reset(::fcntl(worker.process.pidfd.get(), F_DUPFD_CLOEXEC, 0));
    return service.keep_worker(kept);
}

void WorkerPool::Impl::adopt(KeptWorker kept) {
    const std::string_view about = kept.about;
    const auto tab = about.find('\t');
    auto identity = tab == about.npos ? std::nullopt : WorkerIdentity::parse(about.substr(tab + 1));
    if (!identity) return log_error(fmt::format("worker {} of the last dispatcher is not understood", kept.pid));
    auto worker = std::make_unique<Worker>();
    worker->process = {kept.pid, std::move(kept.channel), std::move(kept.pidfd)};
    worker->identity = std::move(*identity);
    worker->adopted = true;
    worker->retired = about.starts_with("retired");
    worker->jobs_taken = options.jobs_in_life;  // how many there were is not known
    Worker& watched = watch(std::move(worker));
    const int fds[] = {settings_fd.get()};
    Status sent = send_with_fds(watched.process.channel.get(), "R", fds);
    if (sent) sent = send_with_fds(watched.process.channel.get(), "Q", {});
    if (!sent) log_debug(fmt::format("worker {} of the last dispatcher: {}", watched.process.pid, sent.error().detail));
}

Result<pid_t> WorkerPool::assign(const WorkerIdentity& identity, std::string_view message, std::span<const int> fds) {
    TRY(impl_->check_identity(identity));
    std::string framed = "J";
    framed += message;
    if (framed.size() > kMessageLimit) return fail(ErrorCode::Limit, "a job of more than 64 KiB");
    for (int attempt = 0; attempt < 2; ++attempt) {
        Worker* worker = attempt == 0 ? impl_->find_room(identity) : nullptr;
        if (!worker) {
            worker = TRY(impl_->start(identity));
            attempt = 1;
        }
        Status sent = send_with_fds(worker->process.channel.get(), framed, fds);
        if (!sent && attempt == 1) return fail(sent.error());
        if (!sent) continue;  // it is ending or does not keep up: another one takes the job
        impl_->service.loop().cancel(worker->idle_timer);
        ++worker->jobs_taken;
        ++worker->jobs;
        return worker->process.pid;
    }
    return fail(ErrorCode::Unavailable, "no worker took the job");
}

void WorkerPool::job_done(pid_t pid) {
    auto it = impl_->workers.find(pid);
    if (it == impl_->workers.end() || it->second->jobs == 0) return;
    if (--it->second->jobs == 0) impl_->arm_idle_timer(*it->second);
}

void WorkerPool::end_job(pid_t pid, std::string_view job) {
    auto it = impl_->workers.find(pid);
    if (it == impl_->workers.end()) return;
    if (Status sent = send_with_fds(it->second->process.channel.get(), "E" + std::string(job), {}); !sent)
        log_warning(fmt::format("worker {} does not end its job {}: {}", pid, job, sent.error().detail));
}

void WorkerPool::jobs_reported(pid_t pid, std::size_t jobs) {
    auto it = impl_->workers.find(pid);
    if (it == impl_->workers.end()) return;
    it->second->jobs += static_cast<std::uint32_t>(jobs);
    if (it->second->jobs == 0) impl_->arm_idle_timer(*it->second);
}

void WorkerPool::Impl::arm_idle_timer(Worker& worker) {
    if (is_used_up(worker) || worker.retired || stopped) return end(worker);
    const pid_t pid = worker.process.pid;
    service.loop().cancel(worker.idle_timer);
    worker.idle_timer = service.loop().after(options.idle_time, [this, pid] {
        auto it = workers.find(pid);
        if (it != workers.end() && it->second->jobs == 0) end(*it->second);
    });
}

void WorkerPool::Impl::end(Worker& worker) {
    if (std::exchange(worker.stopping, true)) return;
    [[maybe_unused]] Status status = send_with_fds(worker.process.channel.get(), "S", {});
}

void WorkerPool::Impl::read_channel(pid_t pid) {
    for (;;) {
        auto it = workers.find(pid);
        if (it == workers.end()) return;
        Worker& worker = *it->second;
        auto message = receive_with_fds(worker.process.channel.get(), kMessageLimit);
        if (!message && message.error().code == ErrorCode::Unavailable) return;
        if (!message || message->bytes.empty()) {  // closed: reap() follows
            worker.stopping = true;
            service.loop().unwatch(worker.process.channel.get());
            return;
        }
        if (on_message) on_message(pid, message->bytes);
    }
}

void WorkerPool::Impl::unwatch(Worker& worker) {
    service.loop().unwatch(worker.process.channel.get());
    service.loop().unwatch(worker.process.pidfd.get());
    service.loop().cancel(worker.idle_timer);
}

void WorkerPool::Impl::reap(pid_t pid) {
    read_channel(pid);  // its last words first
    auto it = workers.find(pid);
    if (it == workers.end()) return;
    int status = 0;
    // The master waits for adopted ones, and logs how they ended.
    if (!it->second->adopted && ::waitpid(pid, &status, WNOHANG) != pid) return;
    std::unique_ptr<Worker> worker = std::move(it->second);
    workers.erase(it);
    unwatch(*worker);
    if (options.outlive_dispatcher) service.forget_worker(pid);
    const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const std::string reason = clean ? "" : describe_exit(status);
    if (!clean)
        log_line(LogLevel::Fatal, fmt::format("service({}): child {} (uid {}) {}; {} of its jobs were cut off",
                                              service.name(), pid, worker->identity.uid, reason, worker->jobs));
    if (on_exit) on_exit(pid, reason);
}

void WorkerPool::Impl::retire(Worker& worker) {
    if (std::exchange(worker.retired, true)) return;
    if (Status kept = keep(worker); !kept)
        log_warning(fmt::format("worker {}: {}", worker.process.pid, kept.error().detail));
    if (worker.jobs == 0) end(worker);
}

void WorkerPool::retire() {
    for (auto& [pid, worker] : impl_->workers) impl_->retire(*worker);
}

void WorkerPool::reload(WorkerPoolOptions options) {
    const std::uint64_t memory_before = impl_->memory;
    impl_->options = options;
    impl_->memory = impl_->memory_limit();
    if (impl_->memory != memory_before) retire();
    if (Status status = impl_->refresh_settings(); !status)
        return log_error("Settings for workers: " + status.error().detail);
    const int fds[] = {impl_->settings_fd.get()};
    for (auto& [pid, worker] : impl_->workers) {
        if (Status status = send_with_fds(worker->process.channel.get(), "R", fds); !status)
            log_warning(fmt::format("worker {} keeps its old settings: {}", pid, status.error().detail));
    }
}

void WorkerPool::stop() {
    impl_->stopped = true;
    for (auto& [pid, worker] : impl_->workers) impl_->end(*worker);
}

}  // namespace culver
