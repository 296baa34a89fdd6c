#include "authd/client-connection.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "authd/auth-line.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kLineLimit = 16384;
constexpr std::size_t kRequestLimit = 1000;
constexpr unsigned kStepLimit = 10;
constexpr std::chrono::seconds kRequestTimeout{150};
}  // namespace

ClientConnection::ClientConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol)
    : server_(server), number_(number), protocol_(protocol), cookie_(hex_encode(random_bytes(16))) {
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
        if (spec) greeting += fmt::format("MECH\t{}{}{}\n", spec->name, spec->flags.empty() ? "" : "\t", spec->flags);
    }
    lines_->write(greeting);
}

ClientConnection::~ClientConnection() {
    for (auto& [id, timer] : timers_) server_.loop().cancel(timer);
}

void ClientConnection::ended(const std::string& why) {
    if (!requests_.empty())
        log_error(fmt::format("auth client {} disconnected with {} pending requests: {}", client_pid_, requests_.size(),
                              why));
    for (auto& [id, timer] : timers_) server_.loop().cancel(timer);
    timers_.clear();
    requests_.clear();
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
    lines_->write(fmt::format("SPID\t{}\nCUID\t{}\nCOOKIE\t{}\nDONE\n", ::getpid(), number_, cookie_));
}

void ClientConnection::handle_auth(std::string_view line) {
    if (client_pid_ == 0) return cut_off("AUTH before CPID");
    auto parsed = parse_auth_line(line, *minor_version_);
    if (!parsed) return cut_off(parsed.error().detail);
    if (requests_.contains(parsed->request.id))
        return cut_off(fmt::format("sent a duplicate ID {}", parsed->request.id));
    const auto& engine = server_.engine();
    const auto& offered = engine->settings().mechanisms;
    const MechanismSpec* spec = find_mechanism(parsed->mechanism);
    if (!spec || std::find(offered.begin(), offered.end(), spec->name) == offered.end())
        return cut_off(
            fmt::format("requested unsupported authentication mechanism {}", parsed->mechanism.substr(0, 40)));
    if (requests_.size() >= kRequestLimit)
        return refuse_now(parsed->request.id, "\tcode=temp_fail\treason=Too many authentication requests at once");

    auto request = std::make_shared<ClientRequest>(std::move(parsed->request));
    request->connection = number_;
    request->engine = engine;
    request->keep_for_pickup = is_login() && !request->auth.no_login;
    if (parsed->base64_response) {
        request->initial_response = base64_decode(*parsed->base64_response);
        if (!request->initial_response)
            return refuse_now(request->id, "\tcode=invalid_base64\treason=Invalid base64 data in initial response");
    }
    request->mechanism = spec->make(request->auth, engine->settings());
    request->is_costly = spec->is_costly;
    requests_[request->id] = request;
    auto hold = request->auth.no_penalty ? std::chrono::milliseconds(0)
                                         : server_.penalties().hold(request->auth.remote_ip, EventLoop::Clock::now());
    if (hold.count() == 0) return begin(request);
    request->state = ClientRequest::State::Held;
    timers_[request->id] = server_.loop().after(hold, [this, request] {
        timers_.erase(request->id);
        begin(request);
    });
}

void ClientConnection::begin(const RequestPtr& request) {
    request->state = ClientRequest::State::Working;
    if (!request->initial_response) return apply(request, request->mechanism->start());
    std::string response = std::move(*request->initial_response);
    request->initial_response.reset();
    feed(request, response);
    ::explicit_bzero(response.data(), response.size());
}

void ClientConnection::feed(const RequestPtr& request, std::string_view bytes) {
    if (++request->steps > kStepLimit) return apply(request, SaslStep::failure("too many SASL steps"));
    apply(request, request->mechanism->step(bytes));
}

void ClientConnection::handle_cont(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (client_pid_ == 0 || !id) return cut_off("CONT without an id");
    auto it = requests_.find(*id);
    if (it == requests_.end()) return refuse_now(*id, "\treason=Authentication request timed out");
    RequestPtr request = it->second;
    bool final = request->state == ClientRequest::State::SendingFinal;
    if (request->state != ClientRequest::State::WaitingForClient && !final)
        return cut_off(fmt::format("CONT for request {}, which waits for nothing", *id));
    if (auto timer = timers_.extract(*id); !timer.empty()) server_.loop().cancel(timer.mapped());
    request->state = ClientRequest::State::Working;
    auto bytes = base64_decode(fields.size() > 2 ? fields[2] : "");
    if (!bytes) {
        requests_.erase(*id);
        return refuse_now(*id, "\tcode=invalid_base64\treason=Invalid base64 data in continued response");
    }
    if (final) {
        if (bytes->empty()) succeed(request, std::move(*request->proven));
        else apply(request, SaslStep::failure("unexpected data after the end of the exchange"));
        return;
    }
    feed(request, *bytes);
    ::explicit_bzero(bytes->data(), bytes->size());
}

void ClientConnection::handle_cancel(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) return cut_off("CANCEL without an id");
    if (auto timer = timers_.extract(*id); !timer.empty()) server_.loop().cancel(timer.mapped());
    requests_.erase(*id);
}

void ClientConnection::wait_for_client(const RequestPtr& request, std::string_view challenge) {
    std::uint32_t id = request->id;
    timers_[id] = server_.loop().after(kRequestTimeout, [this, id] {
        timers_.erase(id);
        requests_.erase(id);
        refuse_now(id, "\treason=Authentication request timed out");
    });
    lines_->write(fmt::format("CONT\t{}\t{}\n", id, base64_encode(challenge)));
}

void ClientConnection::apply(const RequestPtr& request, SaslStep step) {
    switch (step.kind) {
        case SaslStep::Kind::Challenge:
            request->state = ClientRequest::State::WaitingForClient;
            return wait_for_client(request, step.data);
        case SaslStep::Kind::CheckPassword: return check_password(request, std::move(step));
        case SaslStep::Kind::NeedCredentials: return look_up_credentials(request, std::move(step));
        case SaslStep::Kind::Success: return succeed(request, std::move(step));
        case SaslStep::Kind::Failure:
            if (request->engine->settings().verbose && !step.data.empty())
                log_info(fmt::format("{}({}): {}", to_lower(request->auth.mechanism), request->auth.log_identity(),
                                     step.data));
            request->auth.fields.clear();  // what the databases said is for those who have proven themselves
            return refuse(request, AuthResult::Mismatch);
    }
}

// Applies the rules for names. False: the request has been refused.
bool ClientConnection::name_user(const RequestPtr& request, const SaslStep& step) {
    const AuthSettings& settings = request->engine->settings();
    AuthRequest& auth = request->auth;
    bool by_certificate = settings.ssl_username_from_cert && auth.valid_client_cert && !auth.cert_username.empty();
    auto named = request->engine->set_user(auth, by_certificate ? auth.cert_username : step.user);
    if (named && settings.ssl_require_client_cert && !auth.valid_client_cert)
        named = fail(ErrorCode::InvalidArgument, "Client didn't present valid SSL certificate");
    if (named && !step.authorization.empty())
        named = request->engine->set_login_user(request->auth, step.authorization);
    if (named) return true;
    if (request->engine->settings().verbose)
        log_info(fmt::format("{}({}): {}", to_lower(request->auth.mechanism), request->auth.log_identity(),
                             named.error().detail));
    refuse(request, AuthResult::Mismatch);
    return false;
}

void ClientConnection::check_password(const RequestPtr& request, SaslStep step) {
    if (!name_user(request, step)) return;
    request->state = ClientRequest::State::Working;
    walk_on(request, request->engine->start_verify(request->auth, step.password));
}

// Asks the databases in turn: cheap ones here, the others where they hold nobody up.
void ClientConnection::walk_on(const RequestPtr& request, const std::shared_ptr<AuthEngine::Walk>& walk) {
    if (auto result = request->engine->advance(*walk, Work::Cheap)) return decided(request, *result);
    Work work = AuthEngine::wanted_work(*walk);
    auto result = std::make_shared<std::optional<AuthResult>>();
    bool accepted = server_.run(
        work, [request, walk, work, result] { *result = request->engine->advance(*walk, work); },
        [&server = server_, request, walk, result] {
            ClientConnection* self = server.client(request->connection);
            if (!self || !self->is_under_way(*request)) return;
            if (*result) self->decided(request, **result);
            else self->walk_on(request, walk);
        });
    if (!accepted) refuse(request, AuthResult::InternalFailure);
}

void ClientConnection::look_up_credentials(const RequestPtr& request, SaslStep step) {
    if (!name_user(request, step)) return;
    request->state = ClientRequest::State::Working;
    struct Outcome {
        Credentials found;
        SaslStep step;
    };
    auto outcome = std::make_shared<Outcome>();
    Work work = request->engine->lookup_work(request->auth);
    if (request->is_costly) work = std::max(work, Work::Cpu);
    bool accepted = server_.run(
        work,
        [request, outcome] {
            outcome->found = request->engine->lookup_credentials(request->auth);
            if (outcome->found.result == AuthResult::Ok)
                outcome->step = request->mechanism->with_credentials(outcome->found.password.reveal());
        },
        [&server = server_, request, outcome] {
            ClientConnection* self = server.client(request->connection);
            if (!self || !self->is_under_way(*request)) return;
            if (outcome->found.result != AuthResult::Ok) return self->refuse(request, outcome->found.result);
            self->apply(request, std::move(outcome->step));
        });
    if (!accepted) refuse(request, AuthResult::InternalFailure);
}

void ClientConnection::succeed(const RequestPtr& request, SaslStep step) {
    if (step.has_data && !request->final_response_ok) {
        // RFC 4422 §3.6: without room in OK the last message is one more challenge, answered by nothing.
        std::string data = std::move(step.data);
        step.has_data = false;
        request->proven = std::move(step);
        request->state = ClientRequest::State::SendingFinal;
        return wait_for_client(request, data);
    }
    if (request->auth.user.empty() && !name_user(request, step)) return;
    if (step.has_data) request->auth.fields.set("resp", base64_encode(step.data));
    if (request->auth.mechanism == "ANONYMOUS") request->auth.fields.set("anonymous", "", false);
    decided(request, request->engine->accept(request->auth));
}

void ClientConnection::decided(const RequestPtr& request, AuthResult result) {
    if (!is_under_way(*request)) return;
    if (result != AuthResult::Ok) return refuse(request, result);
    if (!request->auth.no_penalty) server_.penalties().succeeded(request->auth.remote_ip);
    send_ok(request);
}

void ClientConnection::send_ok(const RequestPtr& request) {
    AuthRequest& auth = request->auth;
    std::string line = fmt::format("OK\t{}", request->id);
    append_auth_field(line, "user", auth.user);
    if (auth.user != auth.original_user && auth.master_user.empty())
        append_auth_field(line, "original_user", auth.original_user);
    if (!auth.master_user.empty()) append_auth_field(line, "auth_user", auth.master_user);
    // The last message stands last, as clients expect it.
    auto last = auth.fields.find("resp") ? auth.fields.find("resp")->value : std::string();
    auth.fields.remove("resp");
    auth.fields.append_to(line);
    if (!last.empty()) line += "\tresp=" + last;
    line += '\n';
    if (request->keep_for_pickup && !auth.fields.contains("nologin") && !auth.fields.contains("proxy"))
        server_.keep_login(client_pid_, cookie_, request);
    finish(*request, line);
}

void ClientConnection::refuse(const RequestPtr& request, AuthResult result, std::string_view reason) {
    AuthRequest& auth = request->auth;
    request->state = ClientRequest::State::Refused;
    std::string line = fmt::format("FAIL\t{}", request->id);
    // A name that was never read is not echoed; one that was refused is, as it came.
    if (auth.named) append_auth_field(line, "user", auth.user);
    if (auth.named && (auth.translated_user.empty() || auth.user != auth.original_user))
        append_auth_field(line, "original_user", auth.original_user);
    if (auth.no_delay) line += "\tnodelay";
    if (result == AuthResult::InternalFailure) line += "\tcode=temp_fail";
    if (result == AuthResult::Disabled) line += "\tcode=user_disabled";
    if (result == AuthResult::Expired) line += "\tcode=pass_expired";
    auth.fields.append_to(line);
    if (!reason.empty()) append_auth_field(line, "reason", reason);
    line += '\n';
    auto delay = auth.no_delay ? std::chrono::milliseconds(0) : request->engine->settings().failure_delay;
    if (result != AuthResult::InternalFailure && !auth.no_penalty) {
        // Without a password to compare with the last one (CRAM-MD5, SCRAM) each attempt is a guess of its own.
        std::string guess = auth.password.empty() ? random_bytes(8) : std::string(auth.password.reveal());
        server_.penalties().failed(auth.remote_ip, auth.user, guess, EventLoop::Clock::now() + delay);
        ::explicit_bzero(guess.data(), guess.size());
    }
    if (delay.count() == 0) return finish(*request, line);
    server_.refuse_later(request, std::move(line), delay);
}

void ClientConnection::refuse_now(std::uint32_t id, std::string_view fields) {
    lines_->write(fmt::format("FAIL\t{}{}\n", id, fields));
}

// False once it was cancelled, even if its id serves another request now.
bool ClientConnection::is_under_way(const ClientRequest& request) const {
    auto it = requests_.find(request.id);
    return it != requests_.end() && it->second.get() == &request;
}

void ClientConnection::finish(const ClientRequest& request, std::string_view line) {
    if (!is_under_way(request)) return;
    requests_.erase(request.id);
    lines_->write(line);
}

}  // namespace culver
