// LoginAttempt: one AUTH of a client, from its first SASL message to its OK or FAIL.
//
//     begin -> mechanism <-> client        its messages, as many as the mechanism wants
//           -> databases                   a password to compare, or the credentials that a mechanism needs
//           -> OK, or FAIL after its delay
//
// Lives on the loop's thread; the databases' work borrows it for a pool's thread meanwhile. It is kept alive by its
// connection and by work under way; when the client cancels it or goes away it is abandoned and says nothing any more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "authd/auth-line.h"
#include "authd/server.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/auth-policy.h"
#include "lib-auth/mechanism.h"

namespace culver {

// What an attempt wants of its connection.
class AttemptPeer {
public:
    virtual ~AttemptPeer() = default;
    virtual void send(std::string_view line) = 0;
    // The last line is sent: the id is free again. The attempt may be destroyed in here.
    virtual void attempt_ended(std::uint32_t id) = 0;
    // True for login processes: what they hear about proxying is complete.
    virtual bool is_login_process() const = 0;
    // The login may be picked up by a mail process (login sockets).
    virtual void login_proven(std::uint32_t id, AuthRequest&& auth,
                              const std::shared_ptr<const AuthEngine>& engine) = 0;
};

class LoginAttempt final : public std::enable_shared_from_this<LoginAttempt> {
public:
    // How long a client may take for its next message, and an address may be held; tests shorten it.
    static inline std::chrono::milliseconds client_timeout{150'000};

    // `peer` outlives the attempt or abandons it.
    LoginAttempt(AuthServer& server, AttemptPeer& peer, AuthLine&& line, const MechanismSpec& spec);
    ~LoginAttempt();

    // Holds the attempt as long as its address is penalised, then starts. `response`: the initial one, if any.
    void begin(std::optional<std::string> response);
    // True while a CONT is expected.
    bool is_waiting_for_client() const;
    // The bytes of a CONT; nothing if they were not base64.
    void answer(std::optional<std::string> bytes);
    // Cancelled, or its client is gone: `why` is for the log.
    void abandon(std::string_view why);

    // Sends the last line, if anybody still wants to know.
    void finish(std::string_view line);

private:
    enum class State { Held, WaitingForClient, SendingFinal, SendingRefusal, Working, Refused, Ended };

    std::string_view certificate_problem() const;
    void start();
    void feed();
    void when_let_in(void (LoginAttempt::*next)());
    JobOrigin origin(std::string lane) const;
    std::function<void()> overload_refusal();
    void apply(SaslStep step);
    bool name_user(const SaslStep& step);
    enum class PolicyMoment { BeforeAuth, AfterAuth };
    // Goes on with `next` when the policy server, if there is one, has nothing against it.
    void ask_policy(PolicyMoment moment, std::function<void()> next);
    void obey_policy(PolicyMoment moment, const PolicyDecision& decision, const std::function<void()>& next);
    void report_to_policy(bool success);
    // Asks the databases in turn, cheap ones here, the others where they hold nobody up; then `done`.
    using WalkPtr = std::shared_ptr<AuthEngine::Walk>;  // shared with the thread that asks
    void walk_on(const WalkPtr& walk, std::function<void(AuthResult)> done);
    void check_password(SaslStep step);
    void look_up_credentials(SaslStep step);
    void use_credentials(Credentials credentials);
    bool is_abandoned(const std::optional<AuthResult>& result = {});
    void answered_by_databases(AuthResult result);
    void succeed(SaslStep step);
    void decided(AuthResult result);
    void let_in();
    void finish_proxy();
    void accepted();
    void upgrade_password();
    void send_ok();
    void log_abandoned();
    void refuse(AuthResult result, std::string_view reason = {});
    void refuse_now(std::string_view fields, std::string_view words);
    void challenge(State state, std::string_view bytes);
    void stop_timer();

    AuthServer& server_;
    AttemptPeer* peer_;  // null once abandoned
    const std::uint32_t id_;
    const bool final_response_ok_;
    const bool is_costly_;  // its mechanism derives keys: off the loop
    AuthRequest auth_;
    std::shared_ptr<const AuthEngine>
        engine_;  // shared with the server: a reload must not pull it away under a request
    std::unique_ptr<Mechanism> mechanism_;
    std::optional<std::string> message_;  // of the client, not fed yet
    std::optional<EventLoop::Clock::time_point> held_since_;
    State state_ = State::Held;
    unsigned steps_ = 0;
    std::optional<SaslStep> proven_;             // SendingFinal: the last message is on its way, OK follows its answer
    AuthResult refusal_ = AuthResult::Mismatch;  // SendingRefusal: what FAIL will say
    bool policy_rejected_ = false;
    std::string_view abandoned_;  // why, while its line of the log waits for what a thread finds out; a literal
    std::optional<EventLoop::TimerId> timer_;  // held, or waiting for the client
};

}  // namespace culver
