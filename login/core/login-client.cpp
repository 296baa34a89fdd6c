#include "login/core/login-client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "lib-base/log.h"
#include "lib-net/socket.h"
#include "login/core/login-server.h"

namespace culver {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;
using std::chrono::steady_clock;

// So much is read and no more; what a client sends beyond waits in the kernel, or in the TLS layer, for whoever reads
// next.
constexpr std::size_t kInputLimit = kPendingInputLimit;
constexpr std::size_t kOutputLimit = 64 << 10;  // a client that reads so little is gone

// One for all clients of this single-threaded process.
char read_block[kInputLimit];

long seconds_since(steady_clock::time_point start) {
    return duration_cast<seconds>(steady_clock::now() - start).count();
}

}  // namespace

LoginClient::LoginClient(LoginServer& server, Arrival arrival, LoginSettings settings)
    : server_(server), arrival_(std::move(arrival)), settings_(std::move(settings)) {
    // Whoever is on the machine itself cannot be listened to on the way.
    secured_ = arrival_.real_local() == arrival_.real_remote() || settings_.is_trusted(arrival_.real_remote());
    start_deadline();
}

void LoginClient::start_deadline() {
    const auto left = settings_.login_time - (steady_clock::now() - arrival_.accepted);
    deadline_ =
        server_.loop().after(std::max(duration_cast<std::chrono::milliseconds>(left), std::chrono::milliseconds(0)),
                             [this] { on_deadline(); });
}

LoginClient::~LoginClient() {
    server_.loop().cancel(deadline_);
    if (watched_) server_.loop().unwatch(arrival_.fd.get());
}

void LoginClient::begin() {
    if (arrival_.tls == Arrival::Tls::No) return wait_for_auth();
    auto context = server_.tls().find(settings_.view);
    if (!context) {
        log_event("Failed to initialize SSL server context: " + context.error().detail, 0, LogLevel::Error);
        return disconnect("TLS initialization failed.");
    }
    tls_ = std::make_unique<TlsStream>(*context, arrival_.fd.get());
    state_ = State::WaitingForTls;
    watch();
    continue_handshake();
}

void LoginClient::watch() {
    if (watched_) return;
    watched_ = true;
    server_.loop().watch(arrival_.fd.get(), Interest::Read, [this](Ready) { on_ready(); });
}

void LoginClient::continue_handshake() {
    switch (tls_->handshake()) {
        case TlsStep::Done:
            handshake_done_ = true;
            wants_write_ = false;
            update_interest();
            log_certificate();
            return wait_for_auth();
        case TlsStep::WantRead: wants_write_ = false; break;
        case TlsStep::WantWrite: wants_write_ = true; break;
        case TlsStep::Closed: return disconnect("Connection closed");
        case TlsStep::Failed: return disconnect("Connection closed: " + tls_->error());
    }
    update_interest();
}

// A client with a bad certificate goes on without one, and then somebody asks why it cannot log in.
void LoginClient::log_certificate() {
    if (tls_->client_certificate() != ClientCertificate::Invalid) return;
    std::string problem = tls_->certificate_problem();
    std::replace_if(
        problem.begin(), problem.end(), [](char c) { return c == '<' || c == '>'; }, '?');
    log_event(fmt::format("Received invalid SSL certificate: {} (check ssl_ca setting?)", problem));
}

void LoginClient::wait_for_auth() {
    state_ = State::WaitingForAuth;
    watch();
    if (server_.auth().is_connected()) on_auth_ready();
}

void LoginClient::on_auth_ready() {
    if (state_ != State::WaitingForAuth) return;
    state_ = State::Talking;
    greeted_ = true;
    if (arrival_.tls != Arrival::Tls::AfterStartTls) greet();
    if (state_ == State::Talking && is_tls()) on_ready();  // the TLS layer may have read ahead
}

void LoginClient::on_auth_broken() {
    if (state_ != State::WaitingForAuth) return;
    send_bye("Auth process broken");
    disconnect("Auth process broken");
}

void LoginClient::on_shutdown() {
    if (state_ == State::Gone || state_ == State::HandingOver) return;
    if (greeted_) send_bye("Server shutting down.");
    disconnect("Server shutting down.");
}

void LoginClient::on_too_many(Mention mention) {
    if (is_leaving()) return;
    if (greeted_) send_bye("Too many connections are waiting to log in.");
    if (state_ == State::Gone) return;
    if (mention == Mention::InLog) disconnect("Too many connections wait for a login (login-limit)");
    else close();
}

void LoginClient::note_nonsense() { server_.note_failure(*this); }

void LoginClient::on_deadline() {
    if (is_leaving()) return;
    const bool in_login = state_ == State::Authenticating || state_ == State::AwaitsResponse;
    if (greeted_)
        send_bye(in_login ? "Disconnected for inactivity during authentication." : "Disconnected for inactivity.");
    disconnect(in_login ? "Inactivity during authentication" : "Inactivity");
}

void LoginClient::update_interest() {
    if (!watched_ || state_ == State::Gone) return;
    paused_ = input_.size() >= kInputLimit;
    const bool read = !paused_, write = !output_.empty() || wants_write_;
    server_.loop().set_interest(arrival_.fd.get(), read ? (write ? Interest::ReadWrite : Interest::Read)
                                                        : (write ? Interest::Write : Interest::None));
}

void LoginClient::on_ready() {
    if (state_ == State::WaitingForTls) return continue_handshake();
    if (!output_.empty()) {
        flush();
    } else if (wants_write_) {
        wants_write_ = false;
        update_interest();
    }
    while (state_ != State::Gone && state_ != State::HandingOver) {
        const bool more = read_some();
        process_input();
        if (!more || input_.size() >= kInputLimit) break;
    }
    if (state_ == State::Gone || state_ == State::HandingOver) return;
    if (peer_closed_) return disconnect("Connection closed");
    if (input_.size() >= kInputLimit || wants_write_ || paused_) update_interest();
}

// Appends what has arrived to input_; false when nothing more waits for now.
bool LoginClient::read_some() {
    if (input_.size() >= kInputLimit) return false;
    const std::size_t room = kInputLimit - input_.size();
    if (tls_) {
        std::size_t got = 0;
        switch (tls_->read(read_block, room, &got)) {
            case TlsStep::Done: input_.append(read_block, got); return true;
            case TlsStep::WantRead: return false;
            case TlsStep::WantWrite: wants_write_ = true; return false;
            case TlsStep::Closed:
            case TlsStep::Failed: peer_closed_ = true; return false;
        }
    }
    ssize_t n = ::recv(arrival_.fd.get(), read_block, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n <= 0) {
        peer_closed_ = true;
        return false;
    }
    input_.append(read_block, static_cast<std::size_t>(n));
    return static_cast<std::size_t>(n) == room;
}

// The protocol may end the client in the middle: it must not be entered again then.
void LoginClient::process_input() {
    if (processing_) return;
    processing_ = true;
    if ((state_ == State::Talking || state_ == State::AwaitsResponse) && !input_.empty()) on_input();
    processing_ = false;
    if (input_.empty()) input_ = {};
    if (!paused_ || state_ == State::Gone || state_ == State::HandingOver || input_.size() >= kInputLimit) return;
    // There is room again. The TLS layer may hold bytes that make no descriptor readable.
    update_interest();
    if (tls_) server_.poke_soon(*this);
}

void LoginClient::send(std::string_view bytes) {
    if (state_ == State::Gone) return;
    output_ += bytes;
    bytes_sent_ += bytes.size();
    flush();
}

void LoginClient::flush() {
    std::size_t done = 0;
    while (done < output_.size()) {
        if (tls_ && handshake_done_) {
            std::size_t taken = 0;
            const TlsStep step = tls_->write(std::string_view(output_).substr(done), &taken);
            if (step == TlsStep::Done) {
                done += taken;
                continue;
            }
            if (step != TlsStep::WantRead && step != TlsStep::WantWrite) output_.clear(), done = 0;
            break;
        }
        ssize_t n = tls_ ? -1 : ::send(arrival_.fd.get(), output_.data() + done, output_.size() - done, MSG_NOSIGNAL);
        if (n < 0 && !tls_ && errno == EINTR) continue;
        if (n < 0 && !tls_ && errno == EAGAIN) break;
        if (n < 0) {  // broken: the next read finds out
            output_.clear();
            done = 0;
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    const bool was_blocked = wants_write_;
    output_.erase(0, done);
    if (output_.empty()) output_ = {};
    wants_write_ = !output_.empty();
    if (was_blocked != wants_write_) update_interest();
    if (output_.size() > kOutputLimit) disconnect("Client does not read its answers");
}

LoginClient::Plaintext LoginClient::plaintext() const {
    if (is_secured()) return Plaintext::Allowed;
    return settings_.disable_plaintext_auth || settings_.tls == TlsPolicy::Required ? Plaintext::NeedsTls
                                                                                    : Plaintext::Allowed;
}

bool LoginClient::can_start_tls() const {
    return !is_tls() && settings_.tls != TlsPolicy::No && !settings_.view->string("ssl_cert").empty();
}

void LoginClient::start_tls() {
    flush();
    if (!input_.empty() || !output_.empty())
        return disconnect("STARTTLS: data pipelined in the clear behind the command");
    server_.loop().unwatch(arrival_.fd.get());
    watched_ = false;
    Arrival again;
    again.fd = std::move(arrival_.fd);
    again.local = arrival_.local;
    again.remote = arrival_.remote;
    again.local_port = arrival_.local_port;
    again.remote_port = arrival_.remote_port;
    again.tls = Arrival::Tls::AfterStartTls;
    again.accepted = arrival_.accepted;
    again.session = arrival_.session;
    again.proxy_ttl = arrival_.proxy_ttl;
    again.real = arrival_.real;
    again.forwarded = arrival_.forwarded;
    state_ = State::Gone;
    server_.begin_again(*this, std::move(again));
}

void LoginClient::disconnect(std::string_view reason) {
    if (state_ == State::Gone) return;
    log_event(fmt::format("Disconnected: {} {}", reason, disconnect_detail()));
    close();
}

void LoginClient::close() {
    if (state_ == State::Authenticating || state_ == State::AwaitsResponse) server_.auth().cancel(auth_id_);
    state_ = State::Gone;
    backend_.reset();
    if (tls_) tls_->shutdown();
    if (watched_) server_.loop().unwatch(arrival_.fd.get());
    watched_ = false;
    server_.loop().cancel(deadline_);
    drain();
    arrival_.fd.reset();
    server_.retire(*this);
}

// Without this a client that has sent more than was read would lose our last words to a reset. Somebody who sends
// faster than this reads may lose them.
void LoginClient::drain() {
    constexpr int kRounds = 64;
    ::shutdown(arrival_.fd.get(), SHUT_WR);
    for (int i = 0; i < kRounds; ++i)
        if (::recv(arrival_.fd.get(), read_block, sizeof read_block, MSG_DONTWAIT) != sizeof read_block) return;
}

// Why somebody left without logging in, in the words of Dovecot's log. Failed attempts have had their own line each, so
// this one does not say "auth failed": who bans addresses by the log would count them twice.
std::string LoginClient::disconnect_detail() const {
    if (tls_ && settings_.requires_client_cert && tls_->client_certificate() != ClientCertificate::Valid)
        return tls_->client_certificate() == ClientCertificate::Invalid ? "(client sent an invalid cert)"
                                                                        : "(client didn't send a cert)";
    const long total = seconds_since(arrival_.accepted);
    if (!greeted_) return fmt::format("(disconnected before auth was ready, waited {} secs)", total);
    if (attempts_ == 0) return fmt::format("(no auth attempts in {} secs)", total);
    if (state_ == State::Authenticating)
        return fmt::format("(disconnected while authenticating, waited {} secs)", seconds_since(auth_started_));
    if (state_ == State::AwaitsResponse)
        return fmt::format("(client didn't finish SASL auth, waited {} secs)", seconds_since(auth_started_));
    if (state_ == State::Proxying)
        return fmt::format("(disconnected while proxying, waited {} secs)", seconds_since(auth_started_));
    if (!trouble_.empty()) return fmt::format("({})", trouble_);
    if (refused_plaintext_) return "(tried to use disallowed plaintext auth)";
    if (unsupported_mechanism_) return "(tried to use unsupported auth mechanism)";
    return fmt::format("({} failed attempts in {} secs)", attempts_, total);
}

void LoginClient::log_event(std::string_view text, long mail_pid, LogLevel level) const {
    log_line(level, log_text(text, mail_pid));
}

std::string LoginClient::log_text(std::string_view text, long mail_pid) const {
    LoginLogFields fields;
    fields.user = user_;
    // What a stranger calls himself must not break the line's <...>, by which log readers find his address.
    std::replace_if(
        fields.user.begin(), fields.user.end(), [](char c) { return c == '<' || c == '>'; }, '?');
    fields.mechanism = mechanism_;
    fields.remote_ip = arrival_.remote.to_string();
    fields.local_ip = arrival_.local.to_string();
    fields.real_remote_ip = arrival_.real_remote().to_string();
    fields.real_local_ip = arrival_.real_local().to_string();
    fields.local_port = arrival_.local_port;
    fields.remote_port = arrival_.remote_port;
    fields.session = arrival_.session;
    fields.protocol = server_.protocol();
    fields.mail_pid = mail_pid;
    if (tls_) {
        fields.security = handshake_done_ ? LoginLogFields::Security::Tls : LoginLogFields::Security::TlsHandshaking;
        if (handshake_done_ && settings_.log_format_elements.find("%k") != std::string::npos)
            fields.tls_description = tls_->description();
    } else if (secured_) {
        fields.security = LoginLogFields::Security::Secured;
    }
    return login_log_line(settings_.log_format, settings_.log_format_elements, text, fields);
}

}  // namespace culver
