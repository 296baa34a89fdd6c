// LoginServer: everything that the clients of one login process share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib-auth/auth-client.h"
#include "lib-service/service.h"
#include "login/core/backend-tls.h"
#include "login/core/connection-limits.h"
#include "login/core/handover-client.h"
#include "login/core/login-client.h"
#include "login/core/login-settings.h"
#include "login/core/relay.h"
#include "login/core/sent-away.h"
#include "login/core/slow-refusal.h"
#include "login/core/source-addresses.h"

namespace culver {

class LoginServer {
public:
    using MakeClient = std::function<std::unique_ptr<LoginClient>(LoginServer&, Arrival, LoginSettings)>;

    // `protocol`: imap, pop3, submission; names the mail socket login/<protocol> and the settings view. `refusal`: what
    // it says to a client that is not let in, in place of a greeting.
    LoginServer(Service& service, std::string protocol, std::string refusal, MakeClient make_client);
    ~LoginServer();

    EventLoop& loop() { return service_.loop(); }
    AuthClient& auth() { return *auth_; }
    HandoverClient& handover() { return *handover_; }
    TlsContexts& tls() { return tls_; }
    const std::string& protocol() const { return protocol_; }

    // A client that is done; it is destroyed a little later, never inside its own call.
    void retire(LoginClient& client);
    // Calls poke() of the client on the loop's next turn, if it still lives.
    void poke_soon(LoginClient& client);
    // A fresh client on the connection of `former`, which said STARTTLS and is retired.
    void begin_again(LoginClient& former, Arrival arrival);
    // What ConnectionLimits should know of a client. Its login is with authd; it is its own turn to speak; a wrong
    // login or nonsense; it is logged in and no longer counts as a stranger, and its network is known.
    void note_asking(LoginClient& client) { limits_.note_asking(client, std::chrono::steady_clock::now()); }
    void note_waiting(LoginClient& client) { limits_.note_waiting(client, std::chrono::steady_clock::now()); }
    void note_failure(LoginClient& client) { limits_.note_failure(client, std::chrono::steady_clock::now()); }
    void note_login(LoginClient& client) { limits_.note_success(client, std::chrono::steady_clock::now()); }
    // Starts it with what was read for either side before.
    void add_relay(std::unique_ptr<Relay> relay, std::string_view to_client = {}, std::string_view to_server = {});
    void retire_relay(Relay& relay);
    // For logins that belong to other servers; loaded before the sandbox.
    void use_backend_tls(BackendTls tls) { backend_tls_ = std::move(tls); }
    BackendTls& backend_tls() { return backend_tls_; }
    SourceAddresses& source_addresses() { return source_addresses_; }

private:
    void accept(InheritedListener& listener);
    void admit(Arrival arrival);
    void refuse(Arrival arrival);
    void close_refused();
    void send_away(LoginClient& client);
    bool note_sent_away(SentAway& counter, const IpAddress& remote);
    void log_sent_away();
    void rest(const std::string& why);
    LoginSettings settings_for(const Arrival& arrival);
    void on_auth_state(bool connected);
    void on_reload();
    void on_stop();
    void on_retire();
    void stop_when_empty();
    void bury();

    Service& service_;
    std::string protocol_;
    MakeClient make_client_;
    LoginSettings base_settings_;
    TlsContexts tls_;
    BackendTls backend_tls_;
    SourceAddresses source_addresses_;
    ConnectionLimits limits_;
    SlowRefusal refused_;
    SentAway sent_away_, beyond_limit_;  // for `limits_`, for connection_limit_
    std::unique_ptr<AuthClient> auth_;
    std::unique_ptr<HandoverClient> handover_;
    std::unordered_map<LoginClient*, std::unique_ptr<LoginClient>> clients_;
    std::unordered_map<Relay*, std::unique_ptr<Relay>> relays_;
    std::vector<std::unique_ptr<LoginClient>> dead_clients_;
    std::vector<std::unique_ptr<Relay>> dead_relays_;
    std::size_t connection_limit_ = 0;
    bool retiring_ = false, stopping_ = false, bury_soon_ = false, auth_timer_runs_ = false;
    bool refusal_timer_runs_ = false, summary_timer_runs_ = false;
};

}  // namespace culver
