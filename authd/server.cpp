#include "authd/server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "authd/client-connection.h"
#include "authd/login-attempt.h"
#include "authd/master-connection.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kLoginKeptFor{60};
constexpr std::size_t kKeptLoginLimit = 50'000;

// Mode exactly 0666 means "anybody may ask for himself": root and the socket's owner see everybody.
UserDbRights userdb_rights(int listener_fd, int fd) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    struct stat st;
    if (::getsockname(listener_fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        address.sun_family != AF_UNIX || address.sun_path[0] == '\0' || ::stat(address.sun_path, &st) != 0 ||
        (st.st_mode & 0777) != 0666)
        return {};
    auto peer = peer_credentials(fd);
    if (!peer) return {false, static_cast<uid_t>(-1)};
    if (peer->uid == 0 || peer->uid == st.st_uid || peer->gid == st.st_gid) return {};
    return {false, peer->uid};
}
}  // namespace

AuthProtocol auth_protocol_of(std::string_view listener_name) {
    std::string_view base = listener_name.substr(listener_name.rfind('/') + 1);
    std::string_view kind = base.substr(base.rfind('-') + 1);
    if (kind == "login" || kind == "tokenlogin") return AuthProtocol::Login;
    if (kind == "master") return AuthProtocol::Master;
    if (kind == "userdb") return AuthProtocol::UserDb;
    return AuthProtocol::Client;
}

AuthServer::AuthServer(EventLoop& loop, DriverContext context)
    : loop_(loop), context_(context), slow_work_(loop, penalties_, known_logins_) {}

AuthServer::~AuthServer() = default;

Status AuthServer::use_settings(const AuthSettings& settings, const ServiceAuthSettings& services) {
    std::shared_ptr<const AuthEngine> fresh = TRY(AuthEngine::create(settings, context_));
    std::unordered_map<std::string, std::shared_ptr<const AuthEngine>> others;
    for (const auto& [service, own] : services)
        others[service] = own == settings ? fresh : TRY(AuthEngine::create(own, context_, fresh.get()));
    const bool offers_others = engine_ && engine_->settings().mechanisms != fresh->settings().mechanisms;
    engine_ = std::move(fresh);
    service_engines_ = std::move(others);
    slow_work_.set_lane_threads(settings.worker_count);
    if (offers_others)
        for (auto& [number, connection] : clients_) connection->mechanisms_changed();
    return {};
}

const std::shared_ptr<const AuthEngine>& AuthServer::engine(const std::string& service) const {
    if (service_engines_.empty()) return engine_;
    auto it = service_engines_.find(service);
    if (it == service_engines_.end()) it = service_engines_.find("");
    return it == service_engines_.end() ? engine_ : it->second;
}

void AuthServer::limit_connections(std::size_t limit, std::function<void(bool full)> on_full) {
    connection_limit_ = limit;
    on_full_ = std::move(on_full);
}

void AuthServer::accept_from(int listener, AuthProtocol protocol) {
    for (int i = 0; i < 64; ++i) {
        if (clients_.size() + masters_.size() >= connection_limit_) {
            if (!is_full_)
                log_warning(
                    "service(auth): client_limit reached, new connections wait: raise client_limit in service auth");
            is_full_ = true;
            if (on_full_) on_full_(true);
            return;
        }
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                log_error(fmt::format("accept() failed: {}", std::strerror(errno)));
            return;
        }
        UserDbRights rights = protocol == AuthProtocol::UserDb ? userdb_rights(listener, fd.get()) : UserDbRights{};
        serve(std::move(fd), protocol, rights);
    }
}

void AuthServer::serve(UniqueFd fd, AuthProtocol protocol, UserDbRights rights) {
    std::uint64_t number = next_connection_++;
    if (protocol == AuthProtocol::Master || protocol == AuthProtocol::UserDb)
        masters_[number] = std::make_unique<MasterConnection>(*this, number, std::move(fd), protocol, rights);
    else clients_[number] = std::make_unique<ClientConnection>(*this, number, std::move(fd), protocol);
}

void AuthServer::fail_attempts() {
    for (auto& [number, client] : clients_) client->fail_attempts();
}

bool AuthServer::has_logins() {
    forget_old_logins(EventLoop::Clock::now());
    return !logins_.empty() ||
           std::ranges::any_of(clients_, [](const auto& item) { return item.second->has_attempts(); });
}

bool AuthServer::is_client_pid_taken(std::uint32_t pid, const ClientConnection* asking) const {
    return std::any_of(clients_.begin(), clients_.end(), [&](const auto& item) {
        return item.second.get() != asking && item.second->is_login() && item.second->client_pid() == pid;
    });
}

void AuthServer::connection_ended(std::uint64_t number) {
    // Not at once: the connection's own code is running.
    loop_.post([this, number] {
        clients_.erase(number);
        masters_.erase(number);
        if (!is_full_ || clients_.size() + masters_.size() >= connection_limit_) return;
        is_full_ = false;
        if (on_full_) on_full_(false);
    });
}

bool AuthServer::run(Work work, JobOrigin origin, std::function<void()> job, std::function<void()> done,
                     std::function<void()> refused) {
    if (work != Work::Cheap)
        return slow_work_.run(work, std::move(origin), std::move(job), std::move(done), std::move(refused));
    job();
    done();
    return true;
}

void AuthServer::login_succeeded(const AuthRequest& request) {
    if (!request.no_penalty) penalties_.succeeded(request.remote_ip);
    known_logins_.remember(request.remote_ip, request.translated_user);
}

void AuthServer::log_failed_login(const AuthRequest& request, std::string line) {
    std::uint64_t skipped = 0;
    if (!refusal_log_.allows(request.remote_ip, EventLoop::Clock::now(), skipped)) return;
    if (skipped > 0) line += fmt::format(" ({} more of this address were not logged)", skipped);
    log_info(line);
}

void AuthServer::guess_failed(const AuthRequest& request, std::chrono::milliseconds delay) {
    if (request.no_penalty || !penalties_wanted_) return;
    // Without a password to compare with the last one (CRAM-MD5, SCRAM) each attempt is a guess of its own.
    std::string guess = request.password.empty() ? random_bytes(8) : std::string(request.password.reveal());
    penalties_.failed(request.remote_ip, request.user, guess, EventLoop::Clock::now() + delay);
    ::explicit_bzero(guess.data(), guess.size());
}

MasterConnection* AuthServer::master(std::uint64_t number) {
    auto it = masters_.find(number);
    return it == masters_.end() || !it->second->is_open() ? nullptr : it->second.get();
}

void AuthServer::refuse_later(std::shared_ptr<LoginAttempt> attempt, std::string line,
                              std::chrono::milliseconds delay) {
    auto due = EventLoop::Clock::now() + delay;
    auto place = std::upper_bound(refusals_.begin(), refusals_.end(), due,
                                  [](auto time, const Refusal& other) { return time < other.due; });
    bool first = place == refusals_.begin();
    refusals_.insert(place, Refusal{due, std::move(attempt), std::move(line)});
    if (!first && refusal_timer_) return;
    if (refusal_timer_) loop_.cancel(*refusal_timer_);
    refusal_timer_ = loop_.after(delay, [this] { flush_refusals(); });
}

void AuthServer::flush_refusals() {
    refusal_timer_.reset();
    auto now = EventLoop::Clock::now();
    while (!refusals_.empty() && refusals_.front().due <= now) {
        Refusal refusal = std::move(refusals_.front());
        refusals_.pop_front();
        refusal.attempt->finish(refusal.line);
    }
    if (refusals_.empty()) return;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(refusals_.front().due - now);
    refusal_timer_ = loop_.after(left, [this] { flush_refusals(); });
}

void AuthServer::forget_old_logins(EventLoop::Clock::time_point now) {
    while (!login_order_.empty() && (login_order_.front().first <= now || logins_.size() >= kKeptLoginLimit)) {
        auto it = logins_.find(login_order_.front().second);
        if (it != logins_.end() && it->second.expires == login_order_.front().first) logins_.erase(it);
        login_order_.pop_front();
    }
}

void AuthServer::keep_login(std::uint32_t client_pid, const std::string& cookie, std::uint32_t id, ProvenLogin login) {
    auto now = EventLoop::Clock::now();
    forget_old_logins(now);
    std::uint64_t key = std::uint64_t{client_pid} << 32 | id;
    logins_[key] = KeptLogin{cookie, std::move(login), now + kLoginKeptFor};
    login_order_.emplace_back(now + kLoginKeptFor, key);
}

AuthServer::PickUp AuthServer::pick_up(std::uint32_t client_pid, std::uint32_t id, std::string_view cookie,
                                       std::optional<std::uint32_t> session_pid, pid_t peer_pid) {
    forget_old_logins(EventLoop::Clock::now());
    auto it = logins_.find(std::uint64_t{client_pid} << 32 | id);
    if (it == logins_.end())
        return {std::nullopt,
                fmt::format("Master requested auth for nonexistent client {} request {}", client_pid, id)};
    // A wrong cookie leaves the login for whom it is meant; a wrong process with the right cookie is an attack.
    if (!equals_constant_time(it->second.cookie, cookie))
        return {std::nullopt, "Master requested auth with a wrong cookie"};
    ProvenLogin login = std::move(it->second.login);
    logins_.erase(it);
    if (session_pid && static_cast<pid_t>(*session_pid) != peer_pid)
        return {std::nullopt,
                fmt::format("Session pid {} provided by master for request {} did not match peer credentials (pid={})",
                            *session_pid, id, peer_pid)};
    return {std::move(login), {}};
}

}  // namespace culver
