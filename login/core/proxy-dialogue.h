// ProxyDialogue: how a protocol logs in at a backend. Lines in, lines out: no I/O, no clock.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace culver {

struct ProxyStep {
    enum class Kind {
        GoOn,      // text: something odd for the log, or nothing
        StartTls,  // the next bytes of both sides are TLS, then on_tls()
        LoggedIn,  // text: what the client reads, whole lines
        Refused,   // text: what the client reads behind its tag; log: the backend's own words
        Failed,    // text: why, for the log
    } kind = Kind::GoOn;
    std::string text = {}, log = {};
    // Failed: nothing that waiting would mend.
    bool needs_admin = false;
    // Refused: for the name or the password.
    bool is_guess = false;
};

class ProxyDialogue {
public:
    virtual ~ProxyDialogue() = default;
    // A line of the backend, without its line end.
    virtual ProxyStep on_line(std::string_view line) = 0;
    // The handshake that StartTls asked for is done.
    virtual ProxyStep on_tls() = 0;
    // What is to be sent now. It may hold a password: the caller wipes it.
    virtual std::string take_output() = 0;
    // "id+login/banner": what has been sent and not been answered, and what came last. For the log.
    virtual std::string state() const = 0;
};

}  // namespace culver
