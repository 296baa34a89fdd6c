#include "authd/client-connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "authd/auth-line.h"
#include "authd/peer-trust.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kLineLimit = 16384;
constexpr std::size_t kAttemptLimit = 1000;
constexpr std::string_view kGone = "went away before the answer";
}  // namespace

ClientConnection::ClientConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol)
    : server_(server),
      number_(number),
      protocol_(protocol),
      is_believed_about_certificates_(is_login() || !is_open_to_everybody(fd.get())),
      cookie_(hex_encode(random_bytes(16))) {
    lines_ = std::make_unique<LineConnection>(
        server.loop(), std::move(fd), kLineLimit,
        LineConnection::Callbacks{[this](std::string_view line) { handle_line(line); },
                                  [this](LineConnection::End end, const std::string& why) {
                                      if (end == LineConnection::End::TooLong)
                                          log_error(fmt::format("BUG: Auth client {} sent us more than {} bytes",
                                                                client_pid_, kLineLimit));
                                      ended(why);
                                  }});
    std::string greeting = "VERSION\t1\t2\n";
    for (const std::string& name : server_.engine()->settings().mechanisms) {
        const MechanismSpec* spec = find_mechanism(name);
        if (spec && may_use(*spec))
            greeting += fmt::format("MECH\t{}{}{}\n", spec->name, spec->flags.empty() ? "" : "\t", spec->flags);
    }
    // All of it at once: Exim reads up to DONE before it says a word.
    greeting += fmt::format("SPID\t{}\nCUID\t{}\nCOOKIE\t{}\nDONE\n", ::getpid(), number_, cookie_);
    lines_->write(greeting);
}

// Clients that leave TLS to others (Postfix) cannot say what a channel is bound to.
bool ClientConnection::may_use(const MechanismSpec& spec) const { return is_login() || !spec.needs_channel_binding; }

void ClientConnection::forget_certificate(AuthRequest& auth) {
    const AuthSettings& settings = server_.engine()->settings();
    const bool matters = settings.ssl_require_client_cert || settings.ssl_username_from_cert;
    if (matters && auth.valid_client_cert && !std::exchange(has_warned_of_certificates_, true))
        log_warning(
            fmt::format("auth client {} speaks of client certificates on a socket that is open to everybody; "
                        "they are not believed: give the socket a mode like 0660, and the client's group",
                        client_pid_));
    auth.valid_client_cert = false;
    auth.cert_username.clear();
}

ClientConnection::~ClientConnection() { abandon_attempts(kGone); }

void ClientConnection::abandon_attempts(std::string_view why) {
    for (auto& [id, attempt] : attempts_) attempt->abandon(why);
    attempts_.clear();
}

void ClientConnection::fail_attempts() {
    auto attempts = std::move(attempts_);
    attempts_.clear();
    for (auto& [id, attempt] : attempts) {
        attempt->abandon("was sent away, auth is ending");
        refuse_now(id, "\tcode=temp_fail");
    }
}

void ClientConnection::ended(const std::string& why) {
    if (!attempts_.empty())
        log_error(fmt::format("auth client {} disconnected with {} pending requests: {}", client_pid_, attempts_.size(),
                              why));
    abandon_attempts(kGone);
    server_.connection_ended(number_);
}

void ClientConnection::cut_off(const std::string& why) {
    log_error(fmt::format("BUG: Authentication client {} sent broken input: {}", client_pid_, why));
    lines_->close();
    ended(why);
}

void ClientConnection::handle_line(std::string_view line) {
    std::string_view command = line.substr(0, line.find('\t'));
    if (command == "AUTH") return handle_auth(line);
    if (command == "CONT") return handle_cont(line);
    if (command == "CANCEL") return handle_cancel(line);
    if (command == "VERSION") return handle_version(line);
    if (command == "CPID") return handle_cpid(line);
    cut_off(fmt::format("unknown command: {}", command.substr(0, 80)));
}

void ClientConnection::handle_version(std::string_view line) {
    auto fields = split(line, '\t');
    auto minor = fields.size() > 2 ? parse_uint32(fields[2]) : std::nullopt;
    if (minor_version_ || !minor || fields[1] != "1")
        return cut_off("not compatible with this server: another VERSION of the protocol");
    minor_version_ = *minor;
}

void ClientConnection::handle_cpid(std::string_view line) {
    auto fields = split(line, '\t');
    std::uint32_t pid = fields.size() > 1 ? parse_uint32(fields[1]).value_or(0) : 0;
    if (!minor_version_) return cut_off("CPID before VERSION");
    if (client_pid_ != 0) return cut_off("CPID given twice");
    if (pid == 0) return cut_off("invalid CPID");
    // Logins are picked up by this number, so on login sockets it must be one connection's own.
    if (is_login() && server_.is_client_pid_taken(pid, this)) return cut_off("CPID of another connection");
    client_pid_ = pid;
}

void ClientConnection::handle_auth(std::string_view line) {
    if (client_pid_ == 0) return cut_off("AUTH before CPID");
    auto parsed = parse_auth_line(line, *minor_version_);
    if (!parsed) return cut_off(parsed.error().detail);
    const std::uint32_t id = parsed->id;
    if (attempts_.contains(id)) return cut_off(fmt::format("sent a duplicate ID {}", id));
    if (!is_login() && !(parsed->auth.tls_exporter.empty() && parsed->auth.tls_server_end_point.empty()))
        return cut_off("a channel binding, which only login processes have");
    if (!is_believed_about_certificates_) forget_certificate(parsed->auth);
    const auto& offered = server_.engine()->settings().mechanisms;
    const MechanismSpec* spec = find_mechanism(parsed->auth.mechanism);
    if (!spec || !may_use(*spec) || std::find(offered.begin(), offered.end(), spec->name) == offered.end())
        // Offered until a reload, maybe: then the others of this connection shall not suffer for it.
        return is_stale_ ? refuse_now(id, "\tcode=auth_mech_invalid")
                         : cut_off(fmt::format("requested unsupported authentication mechanism {}",
                                               parsed->auth.mechanism.substr(0, 40)));
    auto refuse = [&](std::string_view words, std::string_view reply) {
        parsed->auth.trail.add("client", words);
        server_.log_failed_login(parsed->auth, login_refused_line(parsed->auth));
        refuse_now(id, reply);
    };
    if (attempts_.size() >= kAttemptLimit)
        return refuse("has too many logins under way",
                      "\tcode=temp_fail\treason=Too many authentication requests at once");
    std::optional<std::string> response;
    if (parsed->base64_response) {
        response = base64_decode(*parsed->base64_response);
        if (!response)
            return refuse("sent no valid base64",
                          "\tcode=invalid_base64\treason=Invalid base64 data in initial response");
    }
    auto attempt = std::make_shared<LoginAttempt>(server_, static_cast<AttemptPeer&>(*this), std::move(*parsed), *spec);
    attempts_[id] = attempt;
    attempt->begin(std::move(response));
}

void ClientConnection::handle_cont(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (client_pid_ == 0 || !id) return cut_off("CONT without an id");
    if (fields.size() < 3) return cut_off("CONT without data");
    auto it = attempts_.find(*id);
    if (it == attempts_.end()) return refuse_now(*id, "\treason=Authentication request timed out");
    std::shared_ptr<LoginAttempt> attempt = it->second;
    if (!attempt->is_waiting_for_client())
        return cut_off(fmt::format("CONT for request {}, which waits for nothing", *id));
    attempt->answer(base64_decode(fields.size() > 2 ? fields[2] : ""));
}

void ClientConnection::handle_cancel(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) return cut_off("CANCEL without an id");
    if (auto attempt = attempts_.extract(*id); !attempt.empty()) attempt.mapped()->abandon("cancelled it");
}

void ClientConnection::refuse_now(std::uint32_t id, std::string_view fields) {
    lines_->write(fmt::format("FAIL\t{}{}\n", id, fields));
}

void ClientConnection::send(std::string_view line) { lines_->write(line); }

void ClientConnection::attempt_ended(std::uint32_t id) {
    attempts_.erase(id);
    if (!is_stale_) return;
    // Not at once: its last line is still to be sent.
    server_.loop().post([this, alive = std::weak_ptr<int>(alive_)] {
        if (!alive.expired()) close_if_stale();
    });
}

void ClientConnection::mechanisms_changed() {
    is_stale_ = true;
    close_if_stale();
}

void ClientConnection::close_if_stale() {
    if (!is_stale_ || !attempts_.empty() || !lines_->is_open()) return;
    lines_->close();
    ended("auth_mechanisms have changed");
}

void ClientConnection::login_proven(std::uint32_t id, AuthRequest&& auth,
                                    const std::shared_ptr<const AuthEngine>& engine) {
    if (is_login()) server_.keep_login(client_pid_, cookie_, id, ProvenLogin{std::move(auth), engine});
}

}  // namespace culver
