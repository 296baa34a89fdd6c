// LoginClient: one stranger at the door. What all protocols share: the socket with or without TLS, the input buffer,
// the time limit, authentication, the handover, the log lines. A protocol derives from it and speaks.
//
// Trust changes make a new object: after STARTTLS the server builds a fresh client on the same socket, so that nothing
// that came in the clear survives the handshake (docs/login.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib-auth/auth-client.h"
#include "lib-base/log.h"
#include "lib-base/secret-string.h"
#include "lib-net/ip-address.h"
#include "lib-net/listen.h"
#include "lib-net/tls.h"
#include "login/core/backend.h"
#include "login/core/forwarded.h"
#include "login/core/login-log.h"
#include "login/core/login-settings.h"

namespace culver {

class LoginServer;

// How a connection came to be, for the client object that takes it.
struct Arrival {
    UniqueFd fd;
    IpAddress local, remote;
    std::uint16_t local_port = 0, remote_port = 0;
    enum class Tls { No, AtOnce, AfterStartTls } tls = Tls::No;
    std::chrono::steady_clock::time_point accepted;
    std::string session;
    unsigned proxy_ttl = 5;  // how many proxies the login may still pass
    // The addresses above are those that a proxy has told; these are the connection's own. Null: there is no proxy.
    struct Real {
        IpAddress local, remote;
        std::uint16_t local_port;
    };
    std::shared_ptr<const Real> real = {};                            // shared by the clients before and after STARTTLS
    std::vector<std::pair<std::string, std::string>> forwarded = {};  // for authd: forward_*
    const IpAddress& real_local() const { return real ? real->local : local; }
    const IpAddress& real_remote() const { return real ? real->remote : remote; }
    std::uint16_t real_local_port() const { return real ? real->local_port : local_port; }
};

// Why a login was refused, for the protocol to say.
struct AuthFailure {
    enum class Kind {
        Failed,  // name or password
        Alert,   // a reason that the user should read
        Temporary,
        NotAuthorized,  // may not become whom he asked for
        Expired,
        NoLogin,  // somebody must change the account
        NeedsTls,
        BadBase64,
        Limit,
        Internal,
    } kind;
    std::string text;  // for the client; never empty
    // The account lives elsewhere: its name and host there, if the client may be told.
    std::string elsewhere_user = {}, elsewhere_host = {};
    std::uint32_t elsewhere_port = 0;
};

class LoginClient {
public:
    LoginClient(LoginServer& server, Arrival arrival, LoginSettings settings);
    virtual ~LoginClient();
    LoginClient(const LoginClient&) = delete;
    LoginClient& operator=(const LoginClient&) = delete;

    // Starts TLS if that comes first, then greets as soon as authd is there.
    void begin();
    void on_auth_ready();
    void on_auth_broken();
    // The process ends: a polite word, and out.
    void on_shutdown();
    // As if its socket were readable.
    void poke() { on_ready(); }
    // Sent away for others (ConnectionLimits), which is mentioned in the log or else counted there.
    enum class Mention { InLog, No };
    void on_too_many(Mention mention);
    const IpAddress& remote() const { return arrival_.real_remote(); }

protected:
    // --- what a protocol says ----------------------------------------------------------------------------------------
    virtual void greet() = 0;
    // Takes complete commands out of input(); called whenever there is more, but not while is_busy().
    virtual void on_input() = 0;
    virtual void on_challenge(const std::string& challenge) = 0;
    virtual void on_auth_failure(const AuthFailure& failure) = 0;
    virtual void send_bye(std::string_view text) = 0;
    virtual std::string tag_for_handover() const = 0;
    virtual bool asked_capability() const = 0;
    // The login belongs to another server: its usual ports, the dialogue with it (the target outlives it), and its
    // refusal, to be said behind the tag.
    struct ProxyDefaults {
        std::uint16_t port, tls_port;
    };
    virtual ProxyDefaults proxy_ports() const = 0;
    virtual std::unique_ptr<ProxyDialogue> make_proxy_dialogue(const ProxyTarget& target) = 0;
    virtual void on_proxy_refused(const std::string& text) = 0;

    // --- what a protocol may do --------------------------------------------------------------------------------------
    void send(std::string_view bytes);
    std::string& input() { return input_; }
    // Authentication is under way or the connection is on its way out: leave the input alone.
    bool is_busy() const { return state_ != State::Talking; }
    // Closes, with a log line "Disconnected: <reason> (...)".
    void disconnect(std::string_view reason);
    // After the protocol's positive answer: the next bytes are TLS. What is left of the input closes the connection.
    void start_tls();

    enum class Plaintext { Allowed, NeedsTls };
    // Whether passwords may be sent in the clear here.
    Plaintext plaintext() const;
    bool is_tls() const { return tls_ != nullptr; }
    bool is_secured() const { return secured_ || is_tls(); }
    bool can_start_tls() const;
    // Whether a mechanism of authd's can be used here at all, passwords in the clear aside.
    bool offers(const AuthMechanismInfo& mechanism) const;
    const LoginSettings& settings() const { return settings_; }
    LoginServer& server() { return server_; }

    // Starts one attempt. `user` is for the log until authd says it better.
    void authenticate(const std::string& mechanism, std::optional<SecretString> initial_response, std::string user);
    void respond(const SecretString& response);
    void abort_authentication();
    void note_refused_plaintext() {
        refused_plaintext_ = true;
        ++attempts_;
    }
    void note_unsupported_mechanism() {
        unsupported_mechanism_ = true;
        ++attempts_;
    }
    void note_invalid_response() { ++attempts_; }
    // It does not speak the protocol.
    void note_nonsense();
    const std::string& mechanism() const { return mechanism_; }
    bool awaits_response() const { return state_ == State::AwaitsResponse; }
    // An information line with this connection's addresses.
    void log_hint(std::string_view text) const { log_event(text); }
    const Arrival& arrival() const { return arrival_; }
    // What a proxy says of its client; nothing comes of it unless the proxy is in login_trusted_networks.
    void take_forwarded(const Forwarded& forwarded);

private:
    enum class State {
        WaitingForTls,
        WaitingForAuth,
        Talking,
        Authenticating,
        AwaitsResponse,
        HandingOver,
        Proxying,
        Gone
    };
    // On its way to a server that has to answer first; nobody sends it away any more.
    bool is_leaving() const {
        return state_ == State::Gone || state_ == State::HandingOver || state_ == State::Proxying;
    }

    void watch();
    void update_interest();
    void on_ready();
    void continue_handshake();
    void wait_for_auth();
    bool read_some();
    void flush();
    void process_input();
    void on_deadline();
    void drain();
    void on_auth_reply(const AuthReply& reply);
    void on_auth_ok(const AuthReply& reply);
    enum class ProxyTrouble { Temporary, NeedsAdmin };
    void start_proxy(const AuthReply& reply);
    void refuse_proxy(const std::string& why, ProxyTrouble trouble);
    void on_backend(BackendOutcome outcome);
    void start_relay(BackendOutcome outcome);
    std::string proxy_prefix() const;
    void log_proxy(std::string_view text, LogLevel level) const;
    void start_deadline();
    void log_certificate();
    bool certificate_names_nobody() const;
    void refuse_certificate();
    void add_tls_facts(AuthStart& request) const;
    bool has_channel_binding() const;
    void log_attempt_failure(std::string_view what);
    long seconds_in_attempt() const;
    void fail_auth(const AuthReply& reply);
    void refuse_login(const AuthReply& reply);
    void on_handover_reply(bool ok, long mail_pid, const std::string& code, const std::string& text);
    void log_event(std::string_view text, long mail_pid = 0, LogLevel level = LogLevel::Info) const;
    std::string log_text(std::string_view text, long mail_pid = 0) const;
    std::string disconnect_detail() const;
    void close();

    LoginServer& server_;
    Arrival arrival_;
    LoginSettings settings_;
    State state_ = State::Talking;
    std::unique_ptr<TlsStream> tls_;
    std::string input_, output_;
    std::string user_, mechanism_;
    UniqueFd relay_end_;  // TLS: our end of the pair, while the other one is being handed over
    std::unique_ptr<ProxyTarget> proxy_;
    std::unique_ptr<Backend> backend_;  // while the login at another server is under way
    std::string_view trouble_;          // why the last login went wrong here, for the log
    std::uint64_t bytes_sent_ = 0;
    EventLoop::TimerId deadline_ = 0;
    std::uint32_t auth_id_ = 0;
    std::uint32_t attempts_ = 0;
    bool secured_ = false, watched_ = false, handshake_done_ = false, greeted_ = false, wants_write_ = false,
         paused_ = false;
    bool refused_plaintext_ = false, unsupported_mechanism_ = false, peer_closed_ = false, processing_ = false;
    std::chrono::steady_clock::time_point auth_started_;
};

}  // namespace culver
