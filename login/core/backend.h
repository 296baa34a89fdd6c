// Backend: a login at another server in the client's place: connect, TLS, the protocol's dialogue, until it is decided.
//
// A server that cannot be reached, or closes too early, is tried again after a second, as often as
// login_proxy_max_reconnects says; everything together takes no longer than the target's timeout. Answers are bounded:
// 8 KiB a line, 64 KiB in all. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib-net/connect.h"
#include "lib-net/event-loop.h"
#include "login/core/proxy-dialogue.h"
#include "login/core/proxy-target.h"
#include "login/core/relay.h"

namespace culver {

class BackendTls;

struct BackendOutcome {
    ProxyStep::Kind kind = ProxyStep::Kind::Failed;  // LoggedIn, Refused or Failed
    std::string text, log;                           // as in ProxyStep; Failed: with times and addresses
    bool needs_admin = false, is_guess = false;
    RelayEnd connection = {};      // LoggedIn
    std::string surplus = {};      // LoggedIn: what the server has said behind its answer
    std::uint64_t bytes_sent = 0;  // LoggedIn: to the server
};

class Backend {
public:
    using MakeDialogue = std::function<std::unique_ptr<ProxyDialogue>()>;
    using Done = std::function<void(BackendOutcome)>;

    struct Options {
        unsigned max_reconnects = 3;
        std::function<void(const std::string&)> complain = {};  // an oddity for the log
    };
    // `done` is called once, never from inside this constructor; the Backend may be destroyed in it. `tls` must outlive
    // it.
    Backend(EventLoop& loop, const ProxyTarget& target, BackendTls& tls, Options options, MakeDialogue make_dialogue,
            Done done);
    // Before `done`: closes the connection, and nobody is called.
    ~Backend();
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

private:
    enum class State { Waiting, Connecting, Handshaking, Talking };

    void connect();
    void on_ready(Ready ready);
    void on_connected();
    void start_tls();
    void continue_handshake();
    void read();
    TlsStep read_block(char* block, std::size_t size, std::size_t* got);
    bool take_lines();
    bool take_step(ProxyStep step);
    void flush();
    void set_interest();
    void on_timeout();
    void lost(std::string why);
    void fail(std::string why, bool needs_admin = false);
    void close();
    void close_connection();
    void finish(BackendOutcome outcome);
    long seconds_since_start() const;
    std::string when_and_where() const;

    EventLoop& loop_;
    const ProxyTarget& target_;
    BackendTls& tls_;
    Options options_;
    MakeDialogue make_dialogue_;
    Done done_;
    std::unique_ptr<ProxyDialogue> dialogue_;
    State state_ = State::Waiting;
    RelayEnd connection_;
    std::string input_, output_;
    std::optional<Endpoint> local_;
    std::size_t received_ = 0;
    std::uint64_t sent_ = 0;
    unsigned reconnects_ = 0, complaints_ = 0;
    bool watched_ = false, tls_wants_write_ = false;
    EventLoop::Clock::time_point started_;
    EventLoop::TimerId deadline_ = 0, retry_ = 0;
};

}  // namespace culver
