// AuthServer: the one auth process. Listeners and connections, the requests under way, slow work, delays of refusals.
//
// Everything runs on the loop's thread but the work that is handed to the pools.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "authd/slow-work.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/login-trail.h"
#include "lib-auth/penalty.h"
#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"
#include "lib-net/socket.h"

namespace culver {

class ClientConnection;
class LoginAttempt;
class MasterConnection;

enum class AuthProtocol { Client, Login, Master, UserDb };
// By the part of the listener's base name after its last '-'.
AuthProtocol auth_protocol_of(std::string_view listener_name);

// What a peer of auth-userdb may ask: everybody's record or only his own.
struct UserDbRights {
    bool everybody = true;
    uid_t uid = 0;
};

// A login that a mail process may pick up.
struct ProvenLogin {
    AuthRequest auth;
    std::shared_ptr<const AuthEngine> engine;  // that proved it; shared with the server and requests under way
};

class AuthServer {
public:
    // `loop` and what `context` names outlive it. Serves nobody before use_settings().
    AuthServer(EventLoop& loop, DriverContext context);
    ~AuthServer();

    // Makes the engine of these settings the one for new requests; on an error the old one stays.
    // `services`: the settings of services that have their own (service_auth_settings); "" is any other service.
    Status use_settings(const AuthSettings& settings, const ServiceAuthSettings& services = {});
    // Takes the connections that wait at a listening socket (non-blocking). Above the limit they stay in the kernel's
    // queue and `on_full(true)` is called; `on_full(false)` when there is room again.
    void accept_from(int listener, AuthProtocol protocol);
    void limit_connections(std::size_t limit, std::function<void(bool full)> on_full);
    // A connected socket, as if it had been accepted.
    void serve(UniqueFd fd, AuthProtocol protocol, UserDbRights rights);
    // Ends every login under way as a temporary failure: the process is about to end.
    void fail_attempts();
    // Whether a login is under way, or proven and not picked up yet.
    bool has_logins();
    bool has_connections() const { return !clients_.empty() || !masters_.empty(); }

    // For connections.
    // One line for each login that fails, whatever the settings, and no flood of them.
    void log_failed_login(const AuthRequest& request, std::string line);
    EventLoop& loop() { return loop_; }
    const std::shared_ptr<const AuthEngine>& engine() const { return engine_; }
    // The engine of a service that has settings of its own, else engine().
    const std::shared_ptr<const AuthEngine>& engine(const std::string& service) const;
    PenaltyBox& penalties() { return penalties_; }
    // Off: wrong guesses are not counted (service anvil { unix_listener anvil-auth-penalty { mode = 0 } }).
    void want_penalties(bool wanted) { penalties_wanted_ = wanted; }
    // Whether another client has said this CPID.
    bool is_client_pid_taken(std::uint32_t pid, const ClientConnection* asking) const;
    // Forgets the connection at the next turn of the loop.
    void connection_ended(std::uint64_t number);
    // Runs `job` off the loop if it costs `work`, and then `done` on the loop. False: overloaded, nothing will run.
    // `refused`: a guess that waited has lost its place, it is a temporary failure; see SlowWork.
    bool run(Work work, JobOrigin origin, std::function<void()> job, std::function<void()> done,
             std::function<void()> refused);
    // For what a server program asks.
    bool run(Work work, std::function<void()> job, std::function<void()> done) {
        return run(work, JobOrigin{}, std::move(job), std::move(done), {});
    }
    // A right login: its address has no penalty any more, and this user comes first from there.
    void login_succeeded(const AuthRequest& request);
    // A wrong guess, whose refusal the client hears after `delay`.
    void guess_failed(const AuthRequest& request, std::chrono::milliseconds delay);
    // The master connection by its number; null when it is gone.
    MasterConnection* master(std::uint64_t number);
    // The refusal reaches the client after auth_failure_delay, together with others that are due.
    void refuse_later(std::shared_ptr<LoginAttempt> attempt, std::string line, std::chrono::milliseconds delay);

    // Logins that wait for a mail process.
    void keep_login(std::uint32_t client_pid, const std::string& cookie, std::uint32_t id, ProvenLogin login);
    struct PickUp {
        std::optional<ProvenLogin> login;  // nothing: refused
        std::string error;
    };
    // Once for each login, and only with its cookie; the peer must be the process that it is meant for.
    PickUp pick_up(std::uint32_t client_pid, std::uint32_t id, std::string_view cookie,
                   std::optional<std::uint32_t> session_pid, pid_t peer_pid);

private:
    struct Refusal {
        EventLoop::Clock::time_point due;
        std::shared_ptr<LoginAttempt> attempt;
        std::string line;
    };
    struct KeptLogin {
        std::string cookie;
        ProvenLogin login;
        EventLoop::Clock::time_point expires;
    };

    void flush_refusals();
    void forget_old_logins(EventLoop::Clock::time_point now);

    EventLoop& loop_;
    DriverContext context_;
    std::unordered_map<std::string, std::shared_ptr<const AuthEngine>> service_engines_;  // by service, "" for others
    std::shared_ptr<const AuthEngine> engine_;  // shared with requests under way
    PenaltyBox penalties_;
    bool penalties_wanted_ = true;
    RefusalLogLimit refusal_log_;
    KnownLogins known_logins_;
    std::size_t connection_limit_ = 1000;
    std::function<void(bool full)> on_full_;
    bool is_full_ = false;
    std::unordered_map<std::uint64_t, std::unique_ptr<ClientConnection>> clients_;
    std::unordered_map<std::uint64_t, std::unique_ptr<MasterConnection>> masters_;
    std::uint64_t next_connection_ = 1;
    std::deque<Refusal> refusals_;  // by time
    std::optional<EventLoop::TimerId> refusal_timer_;
    std::unordered_map<std::uint64_t, KeptLogin> logins_;  // client pid << 32 | request id
    std::deque<std::pair<EventLoop::Clock::time_point, std::uint64_t>> login_order_;
    SlowWork slow_work_;  // last: its threads end before anything above does
};

}  // namespace culver
