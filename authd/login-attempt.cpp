#include "authd/login-attempt.h"

#include <fmt/format.h>

#include <cstring>

#include "authd/attempt-lines.h"
#include "lib-auth/proxy-fields.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr unsigned kStepLimit = 10;
}  // namespace

LoginAttempt::LoginAttempt(AuthServer& server, AttemptPeer& peer, AuthLine&& line, const MechanismSpec& spec)
    : server_(server),
      peer_(&peer),
      id_(line.id),
      final_response_ok_(line.final_response_ok),
      is_costly_(spec.is_costly),
      auth_(std::move(line.auth)),
      engine_(server.engine(auth_.service)),
      mechanism_(spec.make(auth_, engine_->settings())) {}

LoginAttempt::~LoginAttempt() { stop_timer(); }

void LoginAttempt::stop_timer() {
    if (timer_) server_.loop().cancel(*timer_);
    timer_.reset();
}

void LoginAttempt::abandon(std::string_view why) {
    stop_timer();
    peer_ = nullptr;
    const State before = std::exchange(state_, State::Ended);
    if (before == State::Refused || before == State::Ended) return;  // it has its line
    abandoned_ = why;
    // A thread may be writing into the request; then the line waits for what that finds out.
    if (before != State::Working) log_abandoned();
}

void LoginAttempt::log_abandoned() {
    if (abandoned_.empty()) return;
    auth_.trail.add("client", std::exchange(abandoned_, {}));
    server_.log_failed_login(auth_, login_abandoned_line(auth_));
}

// Asked when something comes back that was waited for: whether nobody waits any more. A client that goes away when it
// has asked has guessed all the same.
bool LoginAttempt::is_abandoned(const std::optional<AuthResult>& result) {
    if (state_ != State::Ended) return false;
    if (result && *result != AuthResult::Ok && *result != AuthResult::InternalFailure)
        server_.guess_failed(auth_, std::chrono::milliseconds(0));
    log_abandoned();
    return true;
}

void LoginAttempt::begin(std::optional<std::string> response) {
    message_ = std::move(response);
    if (std::string_view problem = certificate_problem(); !problem.empty()) {
        if (engine_->settings().verbose)
            log_info(fmt::format("{}({}): {}", to_lower(auth_.mechanism), auth_.log_identity(), problem));
        return refuse_now(fmt::format("\treason={}", problem), problem);  // no guess: neither delayed nor counted
    }
    when_let_in(&LoginAttempt::start);
}

// What a configuration that asks for certificates has against this client.
std::string_view LoginAttempt::certificate_problem() const {
    const AuthSettings& settings = engine_->settings();
    if (!settings.ssl_require_client_cert) return {};
    if (!auth_.valid_client_cert) return "Client didn't present valid SSL certificate";
    if (settings.ssl_username_from_cert && auth_.cert_username.empty())
        return "SSL certificate didn't contain username";
    return {};
}

// Goes on once the address is not held. It is looked at again each time: of all that were held together the first one
// to fail holds the others, and an attempt that was begun before that is held at its next message.
void LoginAttempt::when_let_in(void (LoginAttempt::*next)()) {
    auto now = EventLoop::Clock::now();
    auto hold = auth_.no_penalty ? std::chrono::milliseconds(0) : server_.penalties().hold(auth_.remote_ip, now);
    if (hold.count() == 0) {
        held_since_.reset();
        return (this->*next)();
    }
    state_ = State::Held;
    if (!held_since_) held_since_ = now;
    if (now - *held_since_ >= client_timeout)
        return refuse_now("\treason=Authentication request timed out", "held for its wrong guesses until it timed out");
    timer_ = server_.loop().after(hold, [self = shared_from_this(), next] {
        self->timer_.reset();
        self->when_let_in(next);
    });
}

void LoginAttempt::start() {
    if (message_) return feed();
    state_ = State::Working;
    apply(mechanism_->start());
}

void LoginAttempt::feed() {
    state_ = State::Working;
    std::string bytes = std::move(*message_);
    message_.reset();
    apply(++steps_ > kStepLimit ? SaslStep::failure("too many SASL steps") : mechanism_->step(bytes));
    ::explicit_bzero(bytes.data(), bytes.size());
}

JobOrigin LoginAttempt::origin(std::string lane) const {
    auto kind = auth_.no_penalty ? JobOrigin::Kind::TrustedGuess : JobOrigin::Kind::Guess;
    return {kind, auth_.remote_ip, auth_.translated_user, std::move(lane)};
}

std::function<void()> LoginAttempt::overload_refusal() {
    return [self = shared_from_this()] {
        if (self->is_abandoned()) return;
        self->auth_.trail.add("auth", "too much work is waiting");
        self->refuse(AuthResult::InternalFailure);
    };
}

bool LoginAttempt::is_waiting_for_client() const {
    return state_ == State::WaitingForClient || state_ == State::SendingFinal || state_ == State::SendingRefusal;
}

void LoginAttempt::answer(std::optional<std::string> bytes) {
    stop_timer();
    State asked = std::exchange(state_, State::Working);
    if (asked == State::SendingRefusal) return refuse(refusal_);  // whatever it says (RFC 7628 §3.2.3)
    if (!bytes)
        return refuse_now("\tcode=invalid_base64\treason=Invalid base64 data in continued response",
                          "sent no valid base64");
    // The client has heard the last message; there is nothing left that it could say.
    if (asked == State::SendingFinal) return succeed(std::move(*proven_));
    message_ = std::move(bytes);
    when_let_in(&LoginAttempt::feed);
}

void LoginAttempt::challenge(State state, std::string_view bytes) {
    state_ = state;
    timer_ = server_.loop().after(client_timeout, [self = shared_from_this()] {
        self->timer_.reset();
        self->refuse_now("\treason=Authentication request timed out", "gave no answer in time");
    });
    peer_->send(fmt::format("CONT\t{}\t{}\n", id_, base64_encode(bytes)));
}

void LoginAttempt::apply(SaslStep step) {
    switch (step.kind) {
        case SaslStep::Kind::Challenge: return challenge(State::WaitingForClient, step.data);
        case SaslStep::Kind::CheckPassword: return check_password(std::move(step));
        case SaslStep::Kind::NeedCredentials: return look_up_credentials(std::move(step));
        case SaslStep::Kind::Success: return succeed(std::move(step));
        case SaslStep::Kind::Failure:
            if (step.names_user && !auth_.named && !name_user(step)) return;
            if (engine_->settings().verbose && !step.data.empty())
                log_info(fmt::format("{}({}): {}", to_lower(auth_.mechanism), auth_.log_identity(), step.data));
            auth_.trail.add(to_lower(auth_.mechanism), step.data.empty() ? "the exchange failed" : step.data);
            auth_.fields.clear();  // what the databases said is for those who have proven themselves
            return refuse(AuthResult::Mismatch);
    }
}

// Applies the rules for names. False: the request has been refused.
bool LoginAttempt::name_user(const SaslStep& step) {
    const AuthSettings& settings = engine_->settings();
    bool by_certificate = settings.ssl_username_from_cert && auth_.valid_client_cert && !auth_.cert_username.empty();
    auto named = engine_->set_user(auth_, by_certificate ? auth_.cert_username : step.user);
    if (named && !step.authorization.empty()) named = engine_->set_login_user(auth_, step.authorization);
    if (named) return true;
    if (settings.verbose)
        log_info(fmt::format("{}({}): {}", to_lower(auth_.mechanism), auth_.log_identity(), named.error().detail));
    auth_.trail.add("name", named.error().detail);
    refuse(AuthResult::Mismatch);
    return false;
}

void LoginAttempt::walk_on(const WalkPtr& walk, std::function<void(AuthResult)> done) {
    if (auto result = engine_->advance(*walk, Work::Cheap)) return done(*result);
    Work work = AuthEngine::wanted_work(*walk);
    auto result = std::make_shared<std::optional<AuthResult>>();
    bool accepted = server_.run(
        work, origin(AuthEngine::lane(*walk)),
        [self = shared_from_this(), walk, work, result] { *result = self->engine_->advance(*walk, work); },
        [self = shared_from_this(), walk, result, done = std::move(done)] {
            if (self->is_abandoned(*result)) return;
            if (*result) done(**result);
            else self->walk_on(walk, done);
        },
        overload_refusal());
    if (!accepted) refuse(AuthResult::InternalFailure);
}

void LoginAttempt::check_password(SaslStep step) {
    if (!name_user(step)) return;
    auto walk = engine_->start_verify(auth_, step.password);
    ask_policy(PolicyMoment::BeforeAuth, [self = shared_from_this(), walk] {
        self->walk_on(walk, [self](AuthResult result) { self->answered_by_databases(result); });
    });
}

void LoginAttempt::look_up_credentials(SaslStep step) {
    if (!name_user(step)) return;
    ask_policy(PolicyMoment::BeforeAuth, [self = shared_from_this()] {
        auto walk = self->engine_->start_lookup(self->auth_);
        self->walk_on(walk, [self, walk](AuthResult result) {
            self->use_credentials(AuthEngine::take_credentials(*walk, result));
        });
    });
}

void LoginAttempt::use_credentials(Credentials credentials) {
    if (credentials.result != AuthResult::Ok) {
        // As of a failed exchange: fields are for those who have proven themselves, but why he may not come in is for
        // him.
        if (credentials.result != AuthResult::Disabled && credentials.result != AuthResult::Expired)
            auth_.fields.clear();
        return refuse(credentials.result);
    }
    auto step = std::make_shared<SaslStep>();
    bool accepted = server_.run(
        is_costly_ ? Work::Cpu : Work::Cheap, origin({}),
        [self = shared_from_this(), step, stored = std::move(credentials.password)] {
            *step = self->mechanism_->with_credentials(stored.reveal());
        },
        [self = shared_from_this(), step] {
            if (!self->is_abandoned()) self->apply(std::move(*step));
        },
        overload_refusal());
    if (!accepted) refuse(AuthResult::InternalFailure);
}

// Some mechanisms tell the client more than FAIL can say, and hear it once more (OAUTHBEARER).
void LoginAttempt::answered_by_databases(AuthResult result) {
    if (result == AuthResult::Ok) return decided(result);
    SaslStep last_word = mechanism_->refused(result == AuthResult::InternalFailure);
    if (last_word.kind != SaslStep::Kind::Challenge) return decided(result);
    refusal_ = result;
    challenge(State::SendingRefusal, last_word.data);
}

void LoginAttempt::succeed(SaslStep step) {
    if (step.has_data && !final_response_ok_) {
        // RFC 4422 §3.6: without room in OK the last message is one more challenge, answered by nothing.
        std::string data = std::move(step.data);
        step.has_data = false;
        proven_ = std::move(step);
        return challenge(State::SendingFinal, data);
    }
    if (auth_.mechanism == "ANONYMOUS") {
        // The administrator's own word, to which the rules for names of clients do not apply.
        auth_.user = auth_.original_user = auth_.translated_user = step.user;
        auth_.named = true;
    }
    if (auth_.user.empty() && !name_user(step)) return;
    if (step.has_data) auth_.fields.set("resp", base64_encode(step.data));
    if (auth_.mechanism == "ANONYMOUS") auth_.fields.set("anonymous", "", false);
    walk_on(engine_->start_accept(auth_), [self = shared_from_this()](AuthResult result) { self->decided(result); });
}

void LoginAttempt::decided(AuthResult result) {
    if (result != AuthResult::Ok) return refuse(result);
    ask_policy(PolicyMoment::AfterAuth, [self = shared_from_this()] { self->let_in(); });
}

void LoginAttempt::let_in() {
    if (peer_->is_login_process() && wants_proxy(auth_)) return finish_proxy();
    accepted();
}

// Says where the login belongs; a name is resolved where it holds nobody up.
void LoginAttempt::finish_proxy() {
    auto host = proxy_host_to_resolve(auth_);
    if (!host) {
        complete_proxy_fields(auth_, {}, engine_->settings().proxy_self);
        return accepted();
    }
    auto found = std::make_shared<Result<std::vector<IpAddress>>>(std::vector<IpAddress>());
    bool runs = server_.run(
        Work::Blocking, origin("dns"), [host = *host, found] { *found = resolve_proxy_host(host); },
        [self = shared_from_this(), found] {
            if (self->is_abandoned()) return;
            if (!*found) {
                log_error(fmt::format("proxy({}): {}", self->auth_.log_identity(), found->error().detail));
                self->auth_.trail.add("proxy", found->error().detail);
                return self->refuse(AuthResult::InternalFailure);
            }
            complete_proxy_fields(self->auth_, **found, self->engine_->settings().proxy_self);
            self->accepted();
        },
        overload_refusal());
    if (!runs) refuse(AuthResult::InternalFailure);
}

// OK, or a little later if a database wants it so (delay_until).
void LoginAttempt::accepted() {
    server_.login_succeeded(auth_);
    upgrade_password();
    auto wait = auth_.delay_until.value_or(std::chrono::system_clock::time_point()) - std::chrono::system_clock::now();
    if (wait <= std::chrono::seconds(0)) return send_ok();
    state_ = State::Held;
    timer_ = server_.loop().after(std::chrono::ceil<std::chrono::milliseconds>(wait), [self = shared_from_this()] {
        self->timer_.reset();
        self->send_ok();
    });
}

// Behind the client's back: it has its OK, whatever becomes of this.
void LoginAttempt::upgrade_password() {
    if (!engine_->may_upgrade_now(auth_)) return;
    auto request = std::make_shared<AuthRequest>(auth_);
    auto engine = engine_;
    auto forgo = [engine] { engine->forgo_upgrade(); };
    bool runs = server_.run(
        Work::Blocking, origin("password-upgrade"), [engine, request] { engine->upgrade_password(*request); }, [] {},
        forgo);
    if (!runs) forgo();
}

void LoginAttempt::send_ok() {
    report_to_policy(true);
    if (engine_->settings().verbose || !auth_.master_user.empty()) log_info(login_accepted_line(auth_));
    std::string line = ok_line(id_, auth_);
    bool goes_on = !auth_.no_login && !auth_.fields.contains("nologin") && !wants_proxy(auth_);
    if (goes_on) peer_->login_proven(id_, std::move(auth_), engine_);
    finish(line);
}

void LoginAttempt::refuse(AuthResult result, std::string_view reason) {
    state_ = State::Refused;
    report_to_policy(false);
    server_.log_failed_login(auth_, login_refused_line(auth_));
    std::string line = fail_line(id_, auth_, result, reason);
    auto delay = auth_.fields.contains("nodelay") ? std::chrono::milliseconds(0) : engine_->settings().failure_delay;
    if (result != AuthResult::InternalFailure) server_.guess_failed(auth_, delay);
    if (delay.count() == 0) return finish(line);
    server_.refuse_later(shared_from_this(), std::move(line), delay);
}

// Without a delay: nobody has guessed anything.
void LoginAttempt::refuse_now(std::string_view fields, std::string_view words) {
    auth_.trail.add("client", words);
    server_.log_failed_login(auth_, login_refused_line(auth_));
    finish(fmt::format("FAIL\t{}{}\n", id_, fields));
}

void LoginAttempt::finish(std::string_view line) {
    if (!peer_) return;
    auto self = shared_from_this();
    stop_timer();
    AttemptPeer* peer = std::exchange(peer_, nullptr);
    state_ = State::Ended;
    peer->attempt_ended(id_);
    peer->send(line);
}

}  // namespace culver
