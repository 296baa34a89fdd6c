// AuthClient: the client side of the auth protocol, for login processes (docs/auth-protocol.md).
//
// Runs on an EventLoop, keeps one connection to authd's login socket, connects again when authd was restarted; requests
// that were under way then fail with `temporary`. Many requests at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib-base/secret-string.h"
#include "lib-net/event-loop.h"

namespace culver {

struct AuthMechanismInfo {
    std::string name;  // upper case
    bool plaintext = false, dictionary = false, active = false, anonymous = false, forward_secrecy = false,
         mutual_auth = false, is_private = false, channel_binding = false;
};

struct AuthStart {
    std::string mechanism, service;  // service: imap, pop3, submission
    std::string local_ip, remote_ip, local_name, session, client_id, cert_username;
    std::string real_local_ip, real_remote_ip;                   // behind a proxy: of this connection; empty: as above
    std::vector<std::pair<std::string, std::string>> forwarded;  // what a trusted proxy wants the databases to know
    std::uint16_t local_port = 0, remote_port = 0;
    bool secured = false, tls = false, valid_client_cert = false;
    std::string tls_exporter, tls_server_end_point;  // channel bindings, raw bytes; empty: there is none
    std::optional<SecretString> initial_response;    // raw bytes, not base64
};

struct AuthReply {
    enum class Kind { Continue, Ok, Fail } kind = Kind::Fail;
    std::string challenge;  // Continue: raw bytes
    std::string user;
    std::string code;    // Fail: temp_fail, authz_fail, user_disabled, pass_expired, invalid_base64 ...; may be empty
    std::string reason;  // for the client
    std::vector<std::pair<std::string, std::string>> fields;  // all extra fields: nologin, proxy, host ...
    const std::string* find(std::string_view key) const;
};

class AuthClient {
public:
    using Callback = std::function<void(const AuthReply&)>;

    // `connected` is called on each (re)connection and each loss, e.g. to say "Auth process broken" to waiting clients.
    AuthClient(EventLoop& loop, std::string socket_path, std::function<void(bool connected)> on_state);
    ~AuthClient();

    bool is_connected() const;  // handshake complete
    const std::vector<AuthMechanismInfo>& mechanisms() const;
    // What a mail process needs to pick up a successful login.
    std::uint32_t client_pid() const;
    const std::string& cookie() const;

    // Starts a request; the callback may be called many times (Continue) until Ok or Fail. Returns its id.
    std::uint32_t start(const AuthStart& request, Callback callback);
    void respond(std::uint32_t id, const SecretString& response);  // raw bytes
    void cancel(std::uint32_t id);                                 // no callback afterwards

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
