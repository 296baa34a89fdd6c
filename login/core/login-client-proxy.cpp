// LoginClient: a login that belongs to another server (docs/login-proxy.md).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib-base/log.h"
#include "login/core/backend.h"
#include "login/core/login-client.h"
#include "login/core/login-server.h"

namespace culver {
namespace {

using std::chrono::steady_clock;

// A backend whose client has gone gets this long to see it.
constexpr std::chrono::seconds kLinger{30};
// Where in a log line of a session the text of its end will stand.
constexpr char kPlace = '\1';

constexpr char kUnavailable[] = "Account is temporarily unavailable.";

std::string ending_text(const Relay& relay, std::uint64_t to_server_before, std::uint64_t to_client_before) {
    const std::string_view who = relay.ending() == Relay::Ending::ByClient   ? "by client"
                                 : relay.ending() == Relay::Ending::ByServer ? "by server"
                                                                             : "by proxy: Process shutting down";
    return fmt::format("Disconnected {}{}{} ({}s idle, in={}, out={})", who, relay.error().empty() ? "" : ": ",
                       relay.error(), relay.idle().count(), to_server_before + relay.bytes_to_server(),
                       to_client_before + relay.bytes_to_client());
}

}  // namespace

std::string LoginClient::proxy_prefix() const {
    if (!proxy_) return fmt::format("proxy({}): ", user_);
    return fmt::format("proxy({},{}:{}): ", user_, proxy_->address.to_string(), proxy_->port);
}

// Names come from the passdb here, but a line of the log must stay one.
void LoginClient::log_proxy(std::string_view text, LogLevel level) const {
    std::string line = proxy_prefix() + std::string(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
    log_event(line, 0, level);
}

void LoginClient::take_forwarded(const Forwarded& forwarded) {
    if (forwarded.empty() || !settings_.is_trusted(arrival_.real_remote())) return;
    if (!arrival_.real)
        arrival_.real =
            std::make_shared<Arrival::Real>(Arrival::Real{arrival_.local, arrival_.remote, arrival_.local_port});
    arrival_.remote = forwarded.remote.value_or(arrival_.remote);
    arrival_.local = forwarded.local.value_or(arrival_.local);
    arrival_.remote_port = forwarded.remote_port.value_or(arrival_.remote_port);
    arrival_.local_port = forwarded.local_port.value_or(arrival_.local_port);
    arrival_.proxy_ttl = std::min(forwarded.ttl.value_or(arrival_.proxy_ttl), arrival_.proxy_ttl);
    if (!forwarded.session.empty()) arrival_.session = forwarded.session;
    if (!forwarded.fields.empty()) arrival_.forwarded = forwarded.fields;
}

void LoginClient::start_proxy(const AuthReply& reply) {
    const ProxyDefaults ports = proxy_ports();
    auto target = ProxyTarget::from(reply, {.user = user_,
                                            .port = ports.port,
                                            .tls_port = ports.tls_port,
                                            .timeout = settings_.view->time("login_proxy_timeout")});
    state_ = State::Talking;
    if (!target) return refuse_proxy(target.error(), ProxyTrouble::Temporary);
    proxy_ = std::make_unique<ProxyTarget>(std::move(*target));
    const bool is_self = proxy_->address == arrival_.real_local() && proxy_->port == arrival_.real_local_port();
    if (is_self && proxy_->user == user_) return refuse_proxy("Proxying loops to itself", ProxyTrouble::Temporary);
    if (arrival_.proxy_ttl <= 1)
        return refuse_proxy("TTL reached zero - proxies appear to be looping?", ProxyTrouble::NeedsAdmin);
    if (!proxy_->source) proxy_->source = server_.source_addresses().next(proxy_->address);
    state_ = State::Proxying;
    server_.loop().cancel(deadline_);  // the proxy has its own
    Backend::Options options;
    options.max_reconnects = static_cast<unsigned>(settings_.view->number("login_proxy_max_reconnects"));
    options.complain = [this](const std::string& text) { log_proxy(text, LogLevel::Error); };
    backend_ = std::make_unique<Backend>(
        server_.loop(), *proxy_, server_.backend_tls(), std::move(options),
        [this] { return make_proxy_dialogue(*proxy_); },
        [this](BackendOutcome outcome) { on_backend(std::move(outcome)); });
}

void LoginClient::refuse_proxy(const std::string& why, ProxyTrouble trouble) {
    log_proxy(why, LogLevel::Error);
    server_.note_waiting(*this);
    trouble_ = "internal failure, 1 successful auths";
    on_proxy_refused(
        fmt::format("NO [{}] {}", trouble == ProxyTrouble::NeedsAdmin ? "SERVERBUG" : "UNAVAILABLE", kUnavailable));
    proxy_.reset();
    if (state_ != State::Gone) process_input();
}

void LoginClient::on_backend(BackendOutcome outcome) {
    backend_.reset();
    if (outcome.kind == ProxyStep::Kind::LoggedIn) return start_relay(std::move(outcome));
    state_ = State::Talking;
    start_deadline();
    if (outcome.kind == ProxyStep::Kind::Failed)
        return refuse_proxy(outcome.log, outcome.needs_admin ? ProxyTrouble::NeedsAdmin : ProxyTrouble::Temporary);
    log_proxy("Login failed: " + outcome.log, LogLevel::Info);
    if (outcome.is_guess) {
        log_event("Aborted login (proxy dest auth failed)");  // fail2ban's filter for Dovecot counts it
        server_.note_failure(*this);
    } else {
        server_.note_waiting(*this);
    }
    proxy_.reset();
    on_proxy_refused(outcome.text);
    if (state_ != State::Gone) process_input();
}

void LoginClient::start_relay(BackendOutcome outcome) {
    const auto waited = std::chrono::duration<double>(steady_clock::now() - auth_started_).count();
    std::string how;
    if (proxy_->user != user_) how += " as user " + proxy_->user;
    if (!proxy_->master.empty()) how += fmt::format(" (master {})", proxy_->master);
    if (proxy_->source) how += " from " + proxy_->source->to_string();
    log_proxy(fmt::format("Started proxying to <{}>{} ({:.3f} secs)", proxy_->host, how, waited), LogLevel::Info);
    std::string line = log_text(proxy_prefix() + kPlace);
    const std::uint64_t to_server = outcome.bytes_sent, to_client = bytes_sent_ - output_.size();
    if (watched_) server_.loop().unwatch(arrival_.fd.get());
    watched_ = false;
    state_ = State::Gone;
    server_.note_login(*this);
    LoginServer& server = server_;
    auto on_end = [&server, line = std::move(line), to_server, to_client](Relay& ended) {
        std::string text = line;
        if (const auto place = text.find(kPlace); place != std::string::npos)
            text.replace(place, 1, ending_text(ended, to_server, to_client));
        log_line(LogLevel::Info, text);
        server.retire_relay(ended);
    };
    auto relay = std::make_unique<Relay>(server.loop(), RelayEnd{std::move(arrival_.fd), std::move(tls_)},
                                         std::move(outcome.connection), std::move(on_end), kLinger);
    // What the client has not taken of earlier answers goes first; what it has sent behind its login is for the
    // backend.
    const std::string for_client = output_ + outcome.text + outcome.surplus, for_server = std::move(input_);
    server.retire(*this);
    server.add_relay(std::move(relay), for_client, for_server);
}

}  // namespace culver
