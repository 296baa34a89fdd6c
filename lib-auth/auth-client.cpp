#include "lib-auth/auth-client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <unordered_map>

#include "lib-auth/auth-fields.h"
#include "lib-auth/line-connection.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver {

namespace {
constexpr std::chrono::milliseconds kReconnectDelay{500};
constexpr std::size_t kLineLimit = 64 * 1024;

AuthMechanismInfo parse_mechanism(const std::vector<std::string_view>& fields) {
    AuthMechanismInfo info;
    info.name = to_upper(fields[1]);
    for (std::size_t i = 2; i < fields.size(); ++i) {
        std::string_view flag = fields[i];
        if (flag == "plaintext") info.plaintext = true;
        if (flag == "dictionary") info.dictionary = true;
        if (flag == "active") info.active = true;
        if (flag == "anonymous") info.anonymous = true;
        if (flag == "forward-secrecy") info.forward_secrecy = true;
        if (flag == "mutual-auth") info.mutual_auth = true;
        if (flag == "private") info.is_private = true;
        if (flag == "channel-binding") info.channel_binding = true;
    }
    return info;
}

AuthReply temporary_failure() {
    AuthReply reply;
    reply.kind = AuthReply::Kind::Fail;
    reply.code = "temp_fail";
    return reply;
}
}  // namespace

const std::string* AuthReply::find(std::string_view key) const {
    for (const auto& [name, value] : fields)
        if (name == key) return &value;
    return nullptr;
}

struct AuthClient::Impl {
    EventLoop& loop;
    std::string path;
    std::function<void(bool)> on_state;
    std::unique_ptr<LineConnection> connection{};
    std::vector<AuthMechanismInfo> mechanisms{}, incoming_mechanisms{};
    std::string cookie{};
    std::uint32_t next_id = 1;
    bool ready = false;
    bool complained = false;  // one log line per outage
    std::optional<EventLoop::TimerId> retry{};
    std::unordered_map<std::uint32_t, Callback> requests{};
    // Expires with this object, so that posted tasks know not to touch it.
    std::shared_ptr<int> alive = std::make_shared<int>(0);

    void connect();
    void lost(const std::string& why);
    void handle(std::string_view line);
    void handle_reply(const std::vector<std::string_view>& fields);
    void schedule_retry();
};

void AuthClient::Impl::schedule_retry() {
    if (retry) return;
    retry = loop.after(kReconnectDelay, [this] {
        retry.reset();
        connect();
    });
}

void AuthClient::Impl::connect() {
    auto fd = connect_unix(path, Blocking::No);
    if (!fd) {
        if (!complained) log_error(fmt::format("auth: connect({}) failed: {}", path, fd.error().detail));
        complained = true;
        schedule_retry();
        return;
    }
    incoming_mechanisms.clear();
    connection = std::make_unique<LineConnection>(
        loop, std::move(*fd), kLineLimit,
        LineConnection::Callbacks{[this](std::string_view line) { handle(line); },
                                  [this](LineConnection::End, const std::string& why) { lost(why); }});
    connection->write(fmt::format("VERSION\t1\t2\nCPID\t{}\n", ::getpid()));
}

void AuthClient::Impl::lost(const std::string& why) {
    bool was_ready = ready;
    if (!requests.empty()) log_warning(fmt::format("auth: lost connection to {}: {}", path, why));
    ready = false;
    // The connection's own callback may be running: let it go after that.
    loop.post([dead = std::shared_ptr<LineConnection>(std::move(connection))] {});
    // authd closes connections after a reload that offers other mechanisms: it is there, so nobody has to wait.
    if (was_ready)
        retry = loop.after(std::chrono::milliseconds(0), [this] {
            retry.reset();
            connect();
            if (!connection && on_state) on_state(false);
        });
    else schedule_retry();
    auto failed = std::move(requests);
    requests.clear();
    std::weak_ptr<int> still_here = alive;
    for (auto& [id, callback] : failed) {
        callback(temporary_failure());
        if (still_here.expired()) return;
    }
    if (!was_ready && on_state) on_state(false);  // clients are waiting for it
}

void AuthClient::Impl::handle_reply(const std::vector<std::string_view>& fields) {
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) return;
    auto request = requests.find(*id);
    if (request == requests.end()) return;  // cancelled meanwhile
    AuthReply reply;
    if (fields[0] == "CONT") {
        reply.kind = AuthReply::Kind::Continue;
        auto bytes = base64_decode(fields.size() > 2 ? fields[2] : "");
        if (!bytes) {
            connection->close();
            lost("invalid base64 in CONT");
            return;
        }
        reply.challenge = std::move(*bytes);
        auto callback = request->second;  // may end the request and start another
        callback(reply);
        return;
    }
    reply.kind = fields[0] == "OK" ? AuthReply::Kind::Ok : AuthReply::Kind::Fail;
    for (std::size_t i = 2; i < fields.size(); ++i) {
        if (fields[i].empty()) continue;
        std::size_t equals = fields[i].find('=');
        std::string key(fields[i].substr(0, equals));
        std::string value = equals == std::string_view::npos ? "" : tab_unescape(fields[i].substr(equals + 1));
        if (key == "user") reply.user = value;
        if (key == "code") reply.code = value;
        if (key == "reason") reply.reason = value;
        if (key == "resp")
            if (auto data = base64_decode(value)) reply.challenge = std::move(*data);
        reply.fields.emplace_back(std::move(key), std::move(value));
    }
    auto callback = std::move(request->second);
    requests.erase(request);
    callback(reply);
}

void AuthClient::Impl::handle(std::string_view line) {
    auto fields = split(line, '\t');
    if (fields[0] == "OK" || fields[0] == "FAIL" || fields[0] == "CONT") return handle_reply(fields);
    if (fields[0] == "VERSION" && (fields.size() < 2 || fields[1] != "1")) {
        log_error(fmt::format("auth: {} speaks another version of the auth protocol", path));
        connection->close();
        return lost("incompatible version");
    }
    if (fields[0] == "MECH" && fields.size() > 1) incoming_mechanisms.push_back(parse_mechanism(fields));
    if (fields[0] == "COOKIE" && fields.size() > 1) cookie = fields[1];
    if (fields[0] == "DONE" && !ready) {
        mechanisms = std::move(incoming_mechanisms);
        ready = true;
        complained = false;
        if (on_state) on_state(true);
    }
}

AuthClient::AuthClient(EventLoop& loop, std::string socket_path, std::function<void(bool connected)> on_state)
    : impl_(new Impl{loop, std::move(socket_path), std::move(on_state)}) {
    impl_->connect();
}

AuthClient::~AuthClient() {
    if (impl_->retry) impl_->loop.cancel(*impl_->retry);
}

bool AuthClient::is_connected() const { return impl_->ready; }
const std::vector<AuthMechanismInfo>& AuthClient::mechanisms() const { return impl_->mechanisms; }
std::uint32_t AuthClient::client_pid() const { return static_cast<std::uint32_t>(::getpid()); }
const std::string& AuthClient::cookie() const { return impl_->cookie; }

namespace {
std::string forward_fields(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string text;
    for (const auto& [key, value] : fields) text += (text.empty() ? "" : "\t") + key + '=' + value;
    return text;
}
}  // namespace

std::uint32_t AuthClient::start(const AuthStart& request, Callback callback) {
    std::uint32_t id = impl_->next_id++;
    if (impl_->next_id == 0) impl_->next_id = 1;
    if (!impl_->ready) {
        impl_->requests[id] = std::move(callback);
        impl_->loop.post([impl = impl_.get(), id, alive = std::weak_ptr<int>(impl_->alive)] {
            if (alive.expired()) return;
            auto node = impl->requests.extract(id);
            if (!node.empty()) node.mapped()(temporary_failure());
        });
        return id;
    }
    std::string line = fmt::format("AUTH\t{}\t{}", id, tab_escape(request.mechanism));
    append_auth_field_if_any(line, "service", request.service);
    append_auth_field_if_any(line, "lip", request.local_ip);
    append_auth_field_if_any(line, "rip", request.remote_ip);
    if (request.local_port) line += fmt::format("\tlport={}", request.local_port);
    if (request.remote_port) line += fmt::format("\trport={}", request.remote_port);
    append_auth_field_if_any(line, "real_lip", request.real_local_ip);
    append_auth_field_if_any(line, "real_rip", request.real_remote_ip);
    append_auth_field_if_any(line, "forward_fields", forward_fields(request.forwarded));
    append_auth_field_if_any(line, "local_name", request.local_name);
    append_auth_field_if_any(line, "session", request.session);
    append_auth_field_if_any(line, "client_id", request.client_id);
    append_auth_field_if_any(line, "cert_username", request.cert_username);
    if (request.tls) line += "\tsecured=tls";
    else if (request.secured) line += "\tsecured";
    if (request.valid_client_cert) line += "\tvalid-client-cert";
    append_auth_field_if_any(line, "tls-exporter", hex_encode(request.tls_exporter));
    append_auth_field_if_any(line, "tls-server-end-point", hex_encode(request.tls_server_end_point));
    // No "final-resp-ok": none of our protocols has room for the mechanism's last message beside its own OK, so it
    // comes as one more challenge, and the client can see the server's proof (RFC 4422 §3.6, RFC 9051 §6.2.2).
    if (request.initial_response) {
        line += "\tresp=";
        line += request.initial_response->empty() ? "=" : base64_encode(request.initial_response->reveal());
    }
    line += '\n';
    impl_->requests[id] = std::move(callback);
    impl_->connection->write(line);
    ::explicit_bzero(line.data(), line.size());
    return id;
}

void AuthClient::respond(std::uint32_t id, const SecretString& response) {
    if (!impl_->ready || !impl_->requests.contains(id)) return;
    std::string line = fmt::format("CONT\t{}\t", id) + base64_encode(response.reveal()) + '\n';
    impl_->connection->write(line);
    ::explicit_bzero(line.data(), line.size());
}

void AuthClient::cancel(std::uint32_t id) {
    if (impl_->requests.erase(id) && impl_->ready) impl_->connection->write(fmt::format("CANCEL\t{}\n", id));
}

}  // namespace culver
