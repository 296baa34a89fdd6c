// LoginServer: everything that the clients of one login process share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib-auth/auth-client.h"
#include "lib-service/service.h"
#include "login/core/connection-limits.h"
#include "login/core/handover-client.h"
#include "login/core/login-client.h"
#include "login/core/login-settings.h"
#include "login/core/relay.h"

namespace culver {

class LoginServer {
public:
    using MakeClient = std::function<std::unique_ptr<LoginClient>(LoginServer&, Arrival, LoginSettings)>;

    // `protocol`: imap, pop3, submission; names the mail socket login/<protocol> and the settings view.
    LoginServer(Service& service, std::string protocol, MakeClient make_client);
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
    // A fresh client on the connection of one that said STARTTLS.
    void begin_again(Arrival arrival);
    // The client is logged in: it no longer counts as a stranger.
    void note_login(LoginClient& client) { limits_.remove(client); }
    void add_relay(std::unique_ptr<Relay> relay);
    void retire_relay(Relay& relay);

private:
    void accept(InheritedListener& listener);
    void admit(Arrival arrival);
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
    ConnectionLimits limits_;
    std::unique_ptr<AuthClient> auth_;
    std::unique_ptr<HandoverClient> handover_;
    std::unordered_map<LoginClient*, std::unique_ptr<LoginClient>> clients_;
    std::unordered_map<Relay*, std::unique_ptr<Relay>> relays_;
    std::vector<std::unique_ptr<LoginClient>> dead_clients_;
    std::vector<std::unique_ptr<Relay>> dead_relays_;
    std::size_t connection_limit_ = 0;
    bool retiring_ = false, stopping_ = false, bury_soon_ = false, auth_timer_runs_ = false;
};

}  // namespace culver
