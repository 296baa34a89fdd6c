#include "lmtpd/dispatcher.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-config/load.h"
#include "lib-net/listen.h"
#include "lib-net/socket.h"
#include "lib-service/inheritance.h"
#include "lib-service/privileges.h"
#include "lib-service/worker-pool.h"
#include "lib-service/worker-process.h"
#include "lmtpd/front-message.h"

namespace culver {
namespace {

constexpr std::chrono::seconds kRestartPause{1};
constexpr std::uint64_t kFrontMemory = 512u << 20;
// A worker serves the one front; its jobs are channels, of which it has one at a time, two around a front's restart.
constexpr WorkerPoolOptions kPoolOptions{.jobs_per_worker = 16};

}  // namespace

struct Dispatcher::Impl {
    explicit Impl(Service& s);
    Status start_front();
    void accept(InheritedListener& listener);
    void read_front();
    void handle(std::string_view line);
    Status check_groups(const WorkerIdentity& identity) const;
    void grant(const WorkerRequest& request);
    void reap_front();
    void reload();
    void stop();
    Status tell_front(std::string_view message, std::span<const int> fds = {});
    void count_connections(int change);

    Service& service;
    WorkerPool pool;
    std::optional<WorkerProcess> front;
    std::size_t connections = 0;
    bool stopping = false, retiring = false;
};

Dispatcher::Dispatcher(Service& service) : impl_(std::make_unique<Impl>(service)) {}
Dispatcher::~Dispatcher() = default;

Dispatcher::Impl::Impl(Service& s)
    : service(s),
      pool(
          s, kPoolOptions,
          [this](pid_t pid, std::string_view message) {
              if (message == kIdleMessage) pool.job_done(pid);
          },
          nullptr) {}

int Dispatcher::run() {
    Impl& impl = *impl_;
    if (Status status = impl.start_front(); !status) {
        log_line(LogLevel::Fatal, "The process that speaks LMTP cannot be started: " + status.error().detail);
        return kExitConfig;
    }
    impl.service.watch_listeners([&impl](InheritedListener& listener) { impl.accept(listener); });
    impl.service.on_reload([&impl] { impl.reload(); });
    impl.service.on_stop([&impl] { impl.stop(); });
    impl.service.on_retire([&impl] {
        impl.retiring = true;
        impl.count_connections(0);
    });
    return impl.service.run();
}

Status Dispatcher::Impl::start_front() {
    const auto settings = service.settings();
    PrivilegeTarget target;
    if (!service.is_unprivileged()) {
        const UserEntry user = TRY(find_user(settings->string("default_internal_user")));
        target.uid = user.uid;
        target.gid = user.gid;
        if (const std::string& group = settings->string("default_internal_group"); !group.empty())
            target.gid = TRY(find_group(group));
    }
    const UniqueFd memfd = TRY(make_memfd(settings->serialize()));
    WorkerStart start{.executable = TRY(own_executable()),
                      .service = service.name(),
                      .target = target,
                      .change_user = !service.is_unprivileged(),
                      .memory_limit = kFrontMemory,
                      .settings_fd = memfd.get(),
                      .log_fd = service_log_fd()};
    front = TRY(start_worker(start));
    service.loop().watch(front->channel.get(), Interest::Read, [this](Ready) { read_front(); });
    service.loop().watch(front->pidfd.get(), Interest::Read, [this](Ready) { reap_front(); });
    return tell_front(kFrontTask);
}

Status Dispatcher::Impl::tell_front(std::string_view message, std::span<const int> fds) {
    if (!front) return fail(ErrorCode::Unavailable, "the front is being started again");
    return send_with_fds(front->channel.get(), "J" + std::string(message), fds);
}

void Dispatcher::Impl::accept(InheritedListener& listener) {
    auto accepted = accept_connection(listener.fd.get());
    if (!accepted) {
        if (accepted.error().code != ErrorCode::Unavailable) log_error("accept: " + accepted.error().detail);
        return;
    }
    const int fds[] = {accepted->fd.get()};
    if (Status status = tell_front(fmt::format("{}\t{}", kConnection, listener.ssl ? 1 : 0), fds); !status)
        return log_error("A client was turned away: " + status.error().detail);
    count_connections(+1);
}

// process_limit × client_limit connections at once, as with a process for each; more wait in the listener's queue.
void Dispatcher::Impl::count_connections(int change) {
    connections += static_cast<std::size_t>(change);
    const auto settings = service.settings();
    const ServiceSettings* own = settings->find_service(service.name());
    std::uint64_t limit = own ? std::uint64_t{own->process_limit} * std::max<std::uint32_t>(own->client_limit, 1) : 0;
    if (limit == 0) limit = 100;
    if (stopping) return;
    if (retiring && connections == 0) return stop();
    service.pause_listeners(connections >= limit || !front);
}

void Dispatcher::Impl::read_front() {
    while (front) {
        auto message = receive_with_fds(front->channel.get(), 64 << 10);
        if (!message && message.error().code == ErrorCode::Unavailable) return;
        if (!message || message->bytes.empty()) {  // reap_front follows
            service.loop().unwatch(front->channel.get());
            return;
        }
        handle(message->bytes);
    }
}

void Dispatcher::Impl::handle(std::string_view line) {
    if (line == kClosedMessage) {
        if (connections > 0) count_connections(-1);
        return;
    }
    if (auto request = WorkerRequest::parse(line)) return grant(*request);
    log_error("The front sent a message of an unknown kind");
}

// The front reads what strangers send, so its word is not enough for a group: the machine or the admin must know of it.
// (The pool looks at uid, gid and chroot.)
Status Dispatcher::Impl::check_groups(const WorkerIdentity& identity) const {
    if (identity.groups.empty()) return {};
    std::vector<gid_t> known;
    if (auto user = find_user(std::to_string(identity.uid)); user && !user->name.empty())
        known = groups_of(user->name, identity.gid);
    std::string access = service.settings()->string("mail_access_groups");
    std::replace(access.begin(), access.end(), ',', ' ');
    for (std::string_view name : split_words(access))
        if (auto group = find_group(name)) known.push_back(*group);
    for (gid_t group : identity.groups)
        if (group == 0 || std::ranges::find(known, group) == known.end())
            return fail(ErrorCode::NoPermission,
                        fmt::format("Group {} is neither one of the user with uid {} nor in mail_access_groups", group,
                                    identity.uid));
    return {};
}

void Dispatcher::Impl::grant(const WorkerRequest& request) {
    auto try_grant = [&]() -> Status {
        TRY(check_groups(request.identity));
        auto [ours, theirs] = TRY(socket_pair(SOCK_SEQPACKET, Blocking::No));
        TRY(set_blocking(theirs.get(), Blocking::Yes));
        const int worker_end[] = {theirs.get()};
        const pid_t pid = TRY(pool.assign(request.identity, kDeliverTask, worker_end));
        const int front_end[] = {ours.get()};
        return tell_front(WorkerGrant{request.id, pid}.to_line(), front_end);
    };
    if (Status status = try_grant(); !status) {
        if (Status told = tell_front(WorkerRefusal{request.id, status.error().detail}.to_line()); !told)
            log_error("The front cannot be told: " + told.error().detail);
    }
}

// The front must not end by itself; clients of a front that died find their connection closed, their MTAs try again.
void Dispatcher::Impl::reap_front() {
    if (!front) return;
    int status = 0;
    if (::waitpid(front->pid, &status, WNOHANG) != front->pid) return;
    service.loop().unwatch(front->channel.get());
    service.loop().unwatch(front->pidfd.get());
    front.reset();
    connections = 0;
    if (stopping || retiring) {
        pool.stop();
        return service.loop().stop();
    }
    log_line(LogLevel::Fatal, "The process that speaks LMTP " + describe_exit(status) + "; it is started again");
    service.pause_listeners(true);
    service.loop().after(kRestartPause, [this] {
        if (stopping) return service.loop().stop();
        if (Status started = start_front(); !started) {
            log_line(LogLevel::Fatal, "The process that speaks LMTP cannot be started: " + started.error().detail);
            return service.loop().stop();  // the master starts all anew, and says when it gives up
        }
        count_connections(0);
    });
}

void Dispatcher::Impl::reload() {
    pool.reload(kPoolOptions);
    count_connections(0);  // the limit may be another now
    auto memfd = make_memfd(service.settings()->serialize());
    if (!memfd || !front) return;
    const int fds[] = {memfd->get()};
    if (Status status = send_with_fds(front->channel.get(), "R", fds); !status)
        log_warning("lmtp keeps its old settings: " + status.error().detail);
}

void Dispatcher::Impl::stop() {
    if (std::exchange(stopping, true)) return;
    if (!front || !send_with_fds(front->channel.get(), "S", {})) service.loop().stop();
}

}  // namespace culver
