// LoginClient: authentication and the handover to a mail process.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"
#include "login/core/login-client.h"
#include "login/core/login-server.h"

namespace culver {
namespace {

// "[host:time]", so that an administrator finds the place in the log that the user's report is about.
std::string temporary_failure_text() {
    char host[256] = {}, when[64];
    ::gethostname(host, sizeof host - 1);
    const std::time_t now = std::time(nullptr);
    std::tm utc;
    ::gmtime_r(&now, &utc);
    std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &utc);
    return fmt::format("Temporary authentication failure. [{}:{}]", host, when);
}

}  // namespace

void LoginClient::authenticate(const std::string& mechanism, std::optional<SecretString> initial_response,
                               std::string user) {
    AuthStart request;
    request.mechanism = mechanism;
    request.service = server_.protocol();
    request.local_ip = arrival_.local.to_string();
    request.remote_ip = arrival_.remote.to_string();
    request.local_port = arrival_.local_port;
    request.remote_port = arrival_.remote_port;
    request.session = arrival_.session;
    if (arrival_.real) {
        request.real_local_ip = arrival_.real->local.to_string();
        request.real_remote_ip = arrival_.real->remote.to_string();
    }
    request.forwarded = arrival_.forwarded;
    request.secured = is_secured();
    request.tls = is_tls();
    add_tls_facts(request);
    request.initial_response = std::move(initial_response);
    user_ = std::move(user);
    mechanism_ = mechanism;
    ++attempts_;
    trouble_ = {};
    if (certificate_names_nobody()) return refuse_certificate();
    state_ = State::Authenticating;
    auth_started_ = std::chrono::steady_clock::now();
    server_.note_asking(*this);
    // Not connected: the callback comes with a temporary failure, maybe from inside start().
    auth_id_ = server_.auth().start(request, [this](const AuthReply& reply) { on_auth_reply(reply); });
}

// What this end of TLS knows; a client can say nothing of it by itself.
void LoginClient::add_tls_facts(AuthStart& request) const {
    if (!tls_) return;
    request.local_name = tls_->server_name();
    request.valid_client_cert = tls_->client_certificate() == ClientCertificate::Valid;
    request.cert_username = tls_->certificate_username();
    // The mechanisms without -PLUS are told too: they refuse who pretends not to have been offered the others.
    if (!request.mechanism.starts_with("SCRAM-") || !has_channel_binding()) return;
    request.tls_exporter = tls_->tls_exporter().value_or("");
    request.tls_server_end_point = tls_->tls_server_end_point().value_or("");
}

bool LoginClient::has_channel_binding() const {
    return tls_ && handshake_done_ && tls_->tls_exporter() &&
           std::ranges::any_of(server_.auth().mechanisms(), &AuthMechanismInfo::channel_binding);
}

bool LoginClient::offers(const AuthMechanismInfo& mechanism) const {
    return !mechanism.is_private && (!mechanism.channel_binding || has_channel_binding());
}

// Names come from certificates here, and this one has none: what the client writes must not take its place
// (CVE-2019-3814).
bool LoginClient::certificate_names_nobody() const {
    return tls_ && settings_.takes_username_from_cert && tls_->client_certificate() == ClientCertificate::Valid &&
           tls_->certificate_username().empty();
}

void LoginClient::refuse_certificate() {
    auth_started_ = std::chrono::steady_clock::now();
    log_event("Cannot get username from certificate: Missing username in certificate", 0, LogLevel::Error);
    log_attempt_failure("authorization failed");
    on_auth_failure({AuthFailure::Kind::NotAuthorized, "Unable to validate certificate"});
}

void LoginClient::respond(const SecretString& response) {
    state_ = State::Authenticating;
    server_.note_asking(*this);
    server_.auth().respond(auth_id_, response);
}

void LoginClient::abort_authentication() {
    server_.auth().cancel(auth_id_);
    state_ = State::Talking;
    server_.note_waiting(*this);
}

void LoginClient::on_auth_reply(const AuthReply& reply) {
    switch (reply.kind) {
        case AuthReply::Kind::Continue:
            state_ = State::AwaitsResponse;
            server_.note_waiting(*this);
            on_challenge(reply.challenge);
            break;
        case AuthReply::Kind::Ok: return on_auth_ok(reply);
        case AuthReply::Kind::Fail: fail_auth(reply); break;
    }
    if (state_ != State::Gone) process_input();
}

void LoginClient::log_attempt_failure(std::string_view what) {
    log_event(fmt::format("Aborted login ({}, 1 attempts in {} secs)", what, seconds_in_attempt()));
}

long LoginClient::seconds_in_attempt() const {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - auth_started_).count();
}

void LoginClient::fail_auth(const AuthReply& reply) {
    using Kind = AuthFailure::Kind;
    state_ = State::Talking;
    if (!reply.user.empty()) user_ = reply.user;
    if (reply.find("nologin")) return refuse_login(reply);
    // A busy authd is nobody's guess, and whoever is told that his password is too old has known it.
    if (reply.code == "temp_fail" || reply.code == "pass_expired") server_.note_waiting(*this);
    else server_.note_failure(*this);
    struct Code {
        std::string_view code;
        Kind with_reason, without;
        std::string_view text, in_log;
    };
    // A disabled account is told only with a reason of the administrator's: otherwise it looks like a wrong password.
    static constexpr Code kCodes[] = {
        {"", Kind::Alert, Kind::Failed, "Authentication failed.", "auth failed"},
        {"authz_fail", Kind::NotAuthorized, Kind::NotAuthorized, "Authorization failed", "authorization failed"},
        {"user_disabled", Kind::Alert, Kind::Failed, "Authentication failed.", "user disabled"},
        {"pass_expired", Kind::Expired, Kind::Expired, "Authentication failed.", "password expired"},
        {"invalid_base64", Kind::BadBase64, Kind::BadBase64, "Invalid base64 data in initial response",
         "sent invalid base64"},
        {"auth_mech_invalid", Kind::Alert, Kind::Alert, "Authentication failed.",
         "tried to use unsupported auth mechanism"},
        {"auth_mech_ssl_required", Kind::NeedsTls, Kind::NeedsTls, "Authentication failed.", "auth failed"},
        {"anonymous_denied", Kind::NoLogin, Kind::NoLogin, "Authentication failed.", "auth failed"},
    };
    if (reply.code == "temp_fail") {
        log_event(fmt::format("Login failed: authentication is temporarily unavailable (waited {} secs)",
                              seconds_in_attempt()));
        return on_auth_failure({Kind::Temporary, temporary_failure_text()});
    }
    const auto* found = std::ranges::find(kCodes, reply.code, &Code::code);
    const Code& code = found == std::end(kCodes) ? kCodes[0] : *found;
    log_attempt_failure(code.in_log);
    if (reply.reason.empty()) on_auth_failure({code.without, std::string(code.text)});
    else on_auth_failure({code.with_reason, reply.reason});
}

// The password is right, but the account is not served here.
void LoginClient::refuse_login(const AuthReply& reply) {
    state_ = State::Talking;
    server_.note_waiting(*this);
    AuthFailure failure{AuthFailure::Kind::NoLogin, reply.reason};
    if (const std::string* host = reply.find("host")) {
        const std::string* user = reply.find("destuser");
        const std::string* port = reply.find("port");
        failure.elsewhere_host = *host;
        failure.elsewhere_user = user ? *user : user_;
        failure.elsewhere_port = port ? parse_uint32(*port).value_or(0) : 0;
    }
    if (failure.text.empty())
        failure.text = failure.elsewhere_host.empty() ? "Login disabled for this user" : "Try this server instead.";
    log_event("Login refused: the account may not log in (nologin)");
    on_auth_failure(failure);
}

void LoginClient::on_auth_ok(const AuthReply& reply) {
    user_ = reply.user;
    if (reply.find("proxy")) return start_proxy(reply);
    if (reply.find("nologin")) {
        refuse_login(reply);
        if (state_ != State::Gone) process_input();
        return;
    }
    LoginHandover handover;
    handover.ticket = {server_.auth().client_pid(), auth_id_, server_.auth().cookie(), std::nullopt};
    handover.user = user_;
    handover.tag = tag_for_handover();
    handover.session = arrival_.session;
    handover.local_ip = arrival_.local.to_string();
    handover.remote_ip = arrival_.remote.to_string();
    handover.local_port = arrival_.local_port;
    handover.remote_port = arrival_.remote_port;
    handover.tls = is_tls();
    handover.secured = is_secured();
    handover.client_asked_capability = asked_capability();
    handover.pending_input = input_.substr(0, kPendingInputLimit);
    if (input_.size() > kPendingInputLimit) return disconnect("Too much input behind the login command");
    state_ = State::HandingOver;
    server_.note_login(*this);
    server_.loop().cancel(deadline_);
    server_.loop().unwatch(arrival_.fd.get());
    watched_ = false;
    int passed = arrival_.fd.get();
    UniqueFd mail_end;
    if (tls_) {
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        if (!pair) return on_handover_reply(false, 0, "internal", "");
        relay_end_ = std::move(pair->first);
        mail_end = std::move(pair->second);
        passed = mail_end.get();
    }
    // The mail process's end stays open here until it has been sent and answered.
    server_.handover().hand_over(
        handover, passed, [this, end = std::make_shared<UniqueFd>(std::move(mail_end))](const HandoverReply& answer) {
            end->reset();
            on_handover_reply(answer.ok, answer.mail_pid, answer.code, answer.text);
        });
}

void LoginClient::on_handover_reply(bool ok, long mail_pid, const std::string& code, const std::string& text) {
    if (ok) {
        log_event("Login", mail_pid);
        state_ = State::Gone;
        LoginServer& server = server_;
        if (tls_) {
            server.add_relay(std::make_unique<Relay>(server.loop(), RelayEnd{std::move(arrival_.fd), std::move(tls_)},
                                                     RelayEnd{std::move(relay_end_)},
                                                     [&server](Relay& ended) { server.retire_relay(ended); }));
        }
        arrival_.fd.reset();
        server.retire(*this);
        return;
    }
    relay_end_.reset();
    state_ = State::Talking;
    if (code == "limit")
        on_auth_failure({AuthFailure::Kind::Limit, text.empty() ? "Maximum number of connections exceeded" : text});
    else
        on_auth_failure(
            {AuthFailure::Kind::Internal, "Internal error occurred. Refer to server log for more information."});
    disconnect(text.empty() ? "Internal login failure" : text);
}

}  // namespace culver
