#include "lib-service/service.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"
#include "lib-service/inheritance.h"
#include "lib-service/listener-line.h"
#include "lib-service/privileges.h"

namespace culver {
namespace {

constexpr std::size_t kControlMessageLimit = 64 << 10;
constexpr std::uint64_t kLoginMemoryShares = 16;
constexpr int kMasterPatienceMilliseconds = 2000;

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

// Whether two descriptors are of one socket: a name and a port may be those of several listeners.
bool are_same_file(int one, int other) {
    struct stat a, b;
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

}  // namespace

struct Service::Impl {
    std::string name, protocol;
    EventLoop loop;
    std::shared_ptr<const Settings> settings;
    std::vector<InheritedListener> listeners;
    std::vector<KeptWorker> kept_workers;
    UniqueFd control, signals;
    std::string chroot;  // entered; absolute
    bool unprivileged = false, stopping = false, retiring = false, paused = false;
    std::function<void()> on_reload, on_stop, on_retire;
    std::function<void(InheritedListener&)> on_ready;

    Status take_listeners();
    Status take_kept_workers();
    Status take_signals();
    Status tell_master(std::string_view message, std::span<const int> fds);
    void read_control();
    void handle_control(ReceivedMessage message);
    void add_listeners(std::string_view lines, std::vector<UniqueFd> fds);
    void remove_listeners(const std::vector<UniqueFd>& fds);
    void close_listeners();
    void watch(const InheritedListener& listener);
    void apply_settings(std::shared_ptr<const Settings> fresh);
    void retire();
    void stop();
};

Service::Service() : impl_(std::make_unique<Impl>()) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::take_over(const std::string& protocol) {
    std::unique_ptr<Service> service(new Service);
    Impl& impl = *service->impl_;
    const char* name = ::getenv(kServiceVariable);
    impl.name = name ? name : "service";
    impl.protocol = protocol;
    impl.unprivileged = ::geteuid() != 0;
    set_log_prefix(impl.name + ": ");
    log_to_master(TRY(inherited_fd(kLogFdVariable)));
    impl.control = TRY(inherited_fd(kControlFdVariable));
    TRY(set_blocking(impl.control.get(), Blocking::No));
    const UniqueFd memfd = TRY(inherited_fd(kSettingsFdVariable));
    impl.apply_settings(TRY(read_settings_memfd(memfd.get(), protocol)));
    TRY(impl.take_listeners());
    TRY(impl.take_kept_workers());
    TRY(impl.take_signals());
    impl.loop.watch(impl.control.get(), Interest::Read, [&impl](Ready) { impl.read_control(); });
    return service;
}

void Service::Impl::apply_settings(std::shared_ptr<const Settings> fresh) {
    settings = std::move(fresh);
    set_log_debug(name == "auth" ? settings->boolean("auth_debug") : settings->boolean("mail_debug"));
}

Status Service::Impl::take_listeners() {
    const char* text = ::getenv(kListenersVariable);
    const std::string lines = text ? text : "";
    ::unsetenv(kListenersVariable);
    for (std::string_view line : split(lines, '\n')) {
        if (line.empty()) continue;
        auto parsed = ListenerLine::parse(line);
        if (!parsed || ::fcntl(parsed->fd, F_SETFD, FD_CLOEXEC) != 0)
            return fail(ErrorCode::Corrupt, std::string(kListenersVariable) + " has a bad line");
        listeners.push_back({UniqueFd(parsed->fd), parsed->kind, parsed->name, parsed->port, parsed->ssl});
    }
    return {};
}

Status Service::Impl::take_kept_workers() {
    if (!::getenv(kKeptWorkersFdVariable)) return {};
    const UniqueFd memfd = TRY(inherited_fd(kKeptWorkersFdVariable));
    const std::string lines = TRY(read_memfd(memfd.get()));
    for (std::string_view line : split(lines, '\n')) {
        if (line.empty()) continue;
        auto worker = KeptWorkerLine::parse(line);
        if (!worker || ::fcntl(worker->channel, F_SETFD, FD_CLOEXEC) != 0 ||
            ::fcntl(worker->pidfd, F_SETFD, FD_CLOEXEC) != 0)
            return fail(ErrorCode::Corrupt, "the list of kept workers has a bad line");
        kept_workers.push_back(
            {worker->pid, std::move(worker->about), UniqueFd(worker->channel), UniqueFd(worker->pidfd)});
    }
    return {};
}

// SIGTERM is a request to stop; a terminal's SIGINT and SIGHUP are the master's business.
Status Service::Impl::take_signals() {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("sigprocmask");
    signals.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals) return fail_errno("signalfd");
    loop.watch(signals.get(), Interest::Read, [this](Ready) {
        signalfd_siginfo info;
        while (::read(signals.get(), &info, sizeof info) > 0) {
        }
        stop();
    });
    return {};
}

void Service::Impl::read_control() {
    while (control) {
        auto message = receive_with_fds(control.get(), kControlMessageLimit);
        if (!message && message.error().code == ErrorCode::Unavailable) return;
        if (!message || message->bytes.empty()) {  // the master is gone
            loop.unwatch(control.get());
            control.reset();
            stop();
            return;
        }
        handle_control(std::move(*message));
    }
}

void Service::Impl::handle_control(ReceivedMessage message) {
    const std::string_view verb = first_line(message.bytes);
    const std::string_view rest =
        std::string_view(message.bytes).substr(std::min(verb.size() + 1, message.bytes.size()));
    if (verb == "STOP") return stop();
    if (verb == "RETIRE") return retire();
    if (verb == "LISTEN") return add_listeners(rest, std::move(message.fds));
    if (verb == "UNLISTEN") return remove_listeners(message.fds);
    if (verb != "RELOAD" || message.fds.empty()) return;
    auto fresh = read_settings_memfd(message.fds[0].get(), protocol);
    if (!fresh) return log_error("Reload: the new settings cannot be read, the old ones stay: " + fresh.error().detail);
    apply_settings(std::move(*fresh));
    if (on_reload) on_reload();
}

void Service::Impl::add_listeners(std::string_view lines, std::vector<UniqueFd> fds) {
    std::size_t next = 0;
    for (std::string_view line : split(lines, '\n')) {
        auto parsed = ListenerLine::parse(line);
        if (!parsed || next >= fds.size()) continue;
        listeners.push_back({std::move(fds[next++]), parsed->kind, parsed->name, parsed->port, parsed->ssl});
        if (on_ready) watch(listeners.back());
    }
}

void Service::Impl::remove_listeners(const std::vector<UniqueFd>& fds) {
    for (const UniqueFd& fd : fds) {
        std::erase_if(listeners, [&](InheritedListener& listener) {
            if (!are_same_file(listener.fd.get(), fd.get())) return false;
            loop.unwatch(listener.fd.get());  // whoever watches it
            return true;
        });
    }
}

void Service::Impl::watch(const InheritedListener& listener) {
    const int fd = listener.fd.get();
    loop.watch(fd, paused ? Interest::None : Interest::Read, [this, fd](Ready) {
        auto it = std::find_if(listeners.begin(), listeners.end(), [fd](const auto& l) { return l.fd.get() == fd; });
        if (it != listeners.end()) on_ready(*it);
    });
}

// The listeners go first: whoever starts next finds the ports free though sessions here are still being finished.
void Service::Impl::close_listeners() {
    for (InheritedListener& listener : listeners) loop.unwatch(listener.fd.get());
    listeners.clear();
}

void Service::Impl::stop() {
    if (std::exchange(stopping, true)) return;
    close_listeners();
    if (on_stop) on_stop();
    else loop.stop();
}

void Service::Impl::retire() {
    if (stopping || std::exchange(retiring, true)) return;
    if (!on_retire) return stop();
    close_listeners();
    on_retire();
}

// The master may be busy for a moment, with a reload above all.
Status Service::Impl::tell_master(std::string_view message, std::span<const int> fds) {
    if (!control) return fail(ErrorCode::Unavailable, "the master is gone");
    Status sent = send_with_fds(control.get(), message, fds);
    if (sent || sent.error().code != ErrorCode::Unavailable) return sent;
    pollfd room{.fd = control.get(), .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, kMasterPatienceMilliseconds);
    return send_with_fds(control.get(), message, fds);
}

const std::string& Service::name() const { return impl_->name; }
EventLoop& Service::loop() { return impl_->loop; }
std::shared_ptr<const Settings> Service::settings() const { return impl_->settings; }
std::vector<InheritedListener>& Service::listeners() { return impl_->listeners; }
bool Service::is_unprivileged() const { return impl_->unprivileged; }

void Service::watch_listeners(std::function<void(InheritedListener&)> on_ready) {
    impl_->on_ready = std::move(on_ready);
    for (const InheritedListener& listener : impl_->listeners) impl_->watch(listener);
}

void Service::pause_listeners(bool paused) {
    if (std::exchange(impl_->paused, paused) == paused || !impl_->on_ready) return;
    for (const InheritedListener& listener : impl_->listeners)
        impl_->loop.set_interest(listener.fd.get(), paused ? Interest::None : Interest::Read);
}

std::string Service::socket_path(const std::string& path) const {
    const std::string full = path.starts_with('/') ? path : impl_->settings->string("base_dir") + "/" + path;
    const std::string& root = impl_->chroot;
    if (!root.empty() && full.starts_with(root + "/")) return full.substr(root.size());
    return full;
}

Status Service::drop_privileges() {
    const ServiceSettings* own = impl_->settings->find_service(impl_->name);
    // A login process serves what Dovecot spreads over many.
    if (own) limit_memory(own->vsz_limit * (own->type == "login" ? kLoginMemoryShares : 1));
    if (impl_->unprivileged || !own) return become({});
    PrivilegeTarget target;
    if (!own->user.empty()) {
        const UserEntry user = TRY(find_user(own->user));
        target.uid = user.uid;
        target.gid = user.gid;
    }
    if (!own->group.empty()) target.gid = TRY(find_group(own->group));
    std::string groups = own->extra_groups;
    std::replace(groups.begin(), groups.end(), ',', ' ');
    for (std::string_view group : split_words(groups)) target.groups.push_back(TRY(find_group(group)));
    if (!own->chroot.empty()) target.chroot = socket_path(own->chroot);
    TRY(become(target));
    impl_->chroot = target.chroot;
    return {};
}

void Service::on_reload(std::function<void()> callback) { impl_->on_reload = std::move(callback); }
void Service::on_stop(std::function<void()> callback) { impl_->on_stop = std::move(callback); }
void Service::on_retire(std::function<void()> callback) { impl_->on_retire = std::move(callback); }

Status Service::keep_worker(const KeptWorker& worker) {
    const int fds[] = {worker.channel.get(), worker.pidfd.get()};
    const std::string message = "KEEP\n" + KeptWorkerLine::of(worker).to_line();
    if (message.size() > kControlMessageLimit) return fail(ErrorCode::Limit, "it has too many groups");
    return impl_->tell_master(message, fds);
}

void Service::forget_worker(pid_t pid) {
    if (Status told = impl_->tell_master(fmt::format("FORGET\n{}", pid), {}); !told)
        log_debug(fmt::format("the master keeps worker {}: {}", pid, told.error().detail));
}

std::vector<KeptWorker> Service::take_kept_workers() { return std::exchange(impl_->kept_workers, {}); }

int Service::run() {
    if (impl_->control) ::send(impl_->control.get(), "READY", 5, MSG_NOSIGNAL);
    impl_->loop.run();
    return 0;
}

}  // namespace culver
