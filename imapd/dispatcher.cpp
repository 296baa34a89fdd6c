#include "imapd/dispatcher.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "lib-base/log.h"
#include "lib-net/listen.h"
#include "lib-net/socket.h"

namespace culver {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;
constexpr std::chrono::seconds kStopPatience{30};
constexpr std::chrono::seconds kRetirePatience{5};
constexpr std::chrono::milliseconds kRetirePause{20};

WorkerPoolOptions pool_options(const Settings& settings) {
    WorkerPoolOptions options{.outlive_dispatcher = true};
    if (const ServiceSettings* imap = settings.find_service("imap")) {
        if (imap->client_limit > 0) options.jobs_per_worker = imap->client_limit;
        if (imap->process_limit > 0) options.worker_limit = imap->process_limit;
        options.jobs_in_life = imap->service_count;
        if (imap->idle_kill.count() > 0) options.idle_time = imap->idle_kill;
    }
    return options;
}

// Numbers that no earlier dispatcher of this machine has given out: its workers may be here still.
std::uint64_t first_session_number() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

}  // namespace

// One login process. Handovers come framed (login-handover.h); replies go out in their order.
class Dispatcher::LoginConnection : public std::enable_shared_from_this<LoginConnection> {
public:
    LoginConnection(Dispatcher& dispatcher, UniqueFd fd) : dispatcher_(dispatcher), fd_(std::move(fd)) {}

    // False: the login process is gone or talks nonsense.
    bool read() {
        auto received = receive_with_fds(fd_.get(), kReadSize);
        if (!received) {
            if (received.error().code == ErrorCode::Unavailable) return true;
            log_error(received.error().detail);
            return false;
        }
        if (received->bytes.empty()) return false;
        input_ += received->bytes;
        for (UniqueFd& fd : received->fds) clients_.push_back(std::move(fd));
        return take_handovers();
    }

    bool has_unanswered() const { return !replies_.empty() || !input_.empty(); }

private:
    bool take_handovers() {
        std::size_t begin = 0;
        while (input_.size() - begin >= 4) {
            std::uint32_t length = 0;
            for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(input_[begin + i]);
            if (length > kHandoverLimit) {
                log_error("a login process sent a handover that is too long");
                return false;
            }
            if (input_.size() - begin - 4 < length) break;
            auto login = LoginHandover::deserialize(std::string_view(input_).substr(begin + 4, length));
            begin += 4 + length;
            if (!login || clients_.empty()) {
                log_error(login ? "a login handover came without the client's socket" : login.error().detail);
                return false;
            }
            UniqueFd client = std::move(clients_.front());
            clients_.pop_front();
            const std::uint64_t number = next_number_++;
            replies_.emplace_back();
            dispatcher_.take_login(std::move(*login), std::move(client),
                                   [weak = weak_from_this(), number](const HandoverReply& reply) {
                                       if (auto self = weak.lock()) self->answer(number, reply);
                                   });
        }
        input_.erase(0, begin);
        return true;
    }

    void answer(std::uint64_t number, const HandoverReply& reply) {
        replies_[number - first_number_] = reply.to_line();
        std::string lines;
        while (!replies_.empty() && replies_.front()) {
            lines += *replies_.front();
            replies_.pop_front();
            ++first_number_;
        }
        // A line is 30 bytes and the login process reads all the time; if it cannot take it, it is gone.
        if (!lines.empty() && ::send(fd_.get(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            log_warning("a login process does not take the answer to its handover");
    }

    Dispatcher& dispatcher_;
    UniqueFd fd_;
    std::string input_;
    std::deque<UniqueFd> clients_;
    std::deque<std::optional<std::string>> replies_;
    std::uint64_t next_number_ = 0, first_number_ = 0;
};

Dispatcher::Dispatcher(Service& service)
    : service_(service),
      auth_(service.loop(), service.socket_path("auth-master")),
      sessions_(first_session_number()),
      admin_(service.loop(), sessions_,
             [this](std::uint64_t id, pid_t pid) { workers_->end_job(pid, std::to_string(id)); }),
      workers_(std::make_unique<WorkerPool>(
          service, pool_options(*service.settings()),
          [this](pid_t pid, std::string_view message) { on_message(pid, message); },
          [this](pid_t pid, std::string_view reason) { on_exit(pid, reason); })) {
    service_.watch_listeners([this](InheritedListener& listener) { accept(listener); });
    service_.on_reload([this] { workers_->reload(pool_options(*service_.settings())); });
    service_.on_retire([this] { on_retire(); });
    service_.on_stop([this] { on_stop(); });
}

Dispatcher::~Dispatcher() {
    for (const auto& [fd, login] : logins_) service_.loop().unwatch(fd);
}

int Dispatcher::run() { return service_.run(); }

void Dispatcher::accept(InheritedListener& listener) {
    auto accepted = accept_connection(listener.fd.get());
    if (!accepted) {
        if (accepted.error().code != ErrorCode::Unavailable) log_error(accepted.error().detail);
        return;
    }
    if (admin_.take(listener.name, accepted->fd)) return;
    const int fd = accepted->fd.get();
    logins_[fd] = std::make_shared<LoginConnection>(*this, std::move(accepted->fd));
    service_.loop().watch(fd, Interest::Read, [this, fd](Ready) {
        const auto found = logins_.find(fd);
        if (found == logins_.end()) return;
        const std::shared_ptr<LoginConnection> login = found->second;
        if (login->read()) return;
        service_.loop().unwatch(fd);
        logins_.erase(fd);
    });
}

void Dispatcher::take_login(LoginHandover login, UniqueFd client, std::function<void(const HandoverReply&)> answer) {
    const LoginTicket ticket = login.ticket;
    auto shared_client = std::make_shared<UniqueFd>(std::move(client));  // shared: std::function must be copyable
    auth_.pick_up_login(ticket, [this, login = std::move(login), shared_client,
                                 answer = std::move(answer)](Result<std::optional<UserRecord>> found) mutable {
        HandoverReply reply;
        if (!found) {
            log_error(fmt::format("auth-master: login: {} (user {}, session {})", found.error().detail, login.user,
                                  login.session));
            reply.code = found.error().code == ErrorCode::Unavailable ? "unavailable" : "internal";
            reply.text = "Internal login failure. Refer to server log for more information.";
        } else if (!*found) {
            log_error(
                fmt::format("auth-master: login: Login auth request failed: Authenticated user not found from userdb, "
                            "auth lookup id={} (user {}): the passdb knows this user, no userdb does; add the user to "
                            "the userdb, or use a userdb that fits (e.g. driver = static)",
                            login.ticket.auth_id, login.user));
            reply.code = "internal";
            reply.text = "Internal login failure. Refer to server log for more information.";
        } else {
            reply = start_session(std::move(login), std::move(*shared_client), **found);
        }
        answer(reply);
    });
}

HandoverReply Dispatcher::start_session(LoginHandover login, UniqueFd client, const UserRecord& record) {
    HandoverReply reply;
    const auto settings = service_.settings();
    const std::uint64_t limit = settings->number("mail_max_userip_connections");
    if (limit > 0 && sessions_.count(record.username, login.remote_ip) >= limit) {
        reply.code = "limit";
        reply.text =
            fmt::format("Maximum number of connections from user+IP exceeded (mail_max_userip_connections={})", limit);
        return reply;
    }
    auto user = resolve_user(record, *settings, names_);
    if (!user) return refuse_session(login, client, record.username, user.error());

    SessionJob job;
    job.username = record.username;
    job.home = std::move(user->home);
    job.uid = std::to_string(user->identity.uid);
    job.gid = std::to_string(user->identity.gid);
    job.overrides = std::move(user->overrides);
    const std::string remote_ip = login.remote_ip;
    job.id = sessions_.add({record.username, remote_ip, 0});
    job.login = std::move(login);
    const int fds[] = {client.get()};
    const auto pid = workers_->assign(user->identity, job.serialize(), fds);
    if (!pid) {
        sessions_.remove(job.id);
        if (pid.error().code == ErrorCode::NoPermission)
            return refuse_session(job.login, client, job.username, pid.error());
        log_error(fmt::format("user {}: {}", job.username, pid.error().detail));
        reply.code = pid.error().code == ErrorCode::Limit ? "limit" : "internal";
        reply.text = pid.error().code == ErrorCode::Limit
                         ? "Maximum number of mail processes reached (service imap { process_limit })"
                         : "Internal login failure. Refer to server log for more information.";
        return reply;
    }
    sessions_.set_pid(job.id, *pid);
    reply.ok = true;
    reply.mail_pid = *pid;
    return reply;
}

// No worker may run for this user. The password was right, so the client is told that it is logged in and then that
// the server cannot go on, as Dovecot does; the log says why and what to write where.
HandoverReply Dispatcher::refuse_session(const LoginHandover& login, const UniqueFd& client, const std::string& user,
                                         const Error& why) {
    {
        const LogPrefix prefix(fmt::format("imap({})<{}><{}>: ", user, ::getpid(), login.session));
        log_error(why.detail);
    }
    const std::string text = login.tag +
                             " OK Logged in, but initialization failed.\r\n"
                             "* BYE Internal error occurred. Refer to server log for more information.\r\n";
    (void)!::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    HandoverReply reply;
    reply.ok = true;
    reply.mail_pid = ::getpid();
    return reply;
}

void Dispatcher::on_message(pid_t pid, std::string_view message) {
    if (const std::uint64_t id = parse_session_ended(message)) {
        // What ended before the worker could report it was never counted.
        if (sessions_.remove(id).pid != 0) workers_->job_done(pid);
        return stop_if_done();
    }
    auto reported = parse_session_report(message);
    if (!reported) return log_error(fmt::format("worker {} sent a message of an unknown kind", pid));
    std::size_t added = 0;  // a dispatcher that died early may have asked too
    for (ReportedSession& each : *reported)
        added += sessions_.add_known(each.id, {std::move(each.username), std::move(each.remote_ip), pid});
    workers_->jobs_reported(pid, added);
}

void Dispatcher::on_exit(pid_t pid, std::string_view reason) {
    const std::size_t lost = sessions_.remove_all_of(pid);
    if (lost > 0 || !reason.empty())
        log_line(lost > 0 ? LogLevel::Error : LogLevel::Debug,
                 fmt::format("worker {} {}, {} sessions ended with it", pid, reason.empty() ? "exited" : reason, lost));
    stop_if_done();
}

void Dispatcher::on_stop() {
    stopping_ = true;
    workers_->stop();
    stop_if_done();
    service_.loop().after(kStopPatience, [this] { service_.loop().stop(); });
}

void Dispatcher::on_retire() {
    workers_->retire();
    leave_when_answered();
    service_.loop().after(kRetirePatience, [this] { service_.loop().stop(); });
}

void Dispatcher::leave_when_answered() {
    const bool busy = std::ranges::any_of(logins_, [](const auto& each) { return each.second->has_unanswered(); });
    if (!busy) return service_.loop().stop();
    service_.loop().after(kRetirePause, [this] { leave_when_answered(); });
}

void Dispatcher::stop_if_done() {
    if (stopping_ && sessions_.empty()) service_.loop().stop();
}

}  // namespace culver
