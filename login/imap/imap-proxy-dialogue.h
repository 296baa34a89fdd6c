// The IMAP login of a proxy at a backend: greeting, CAPABILITY, STARTTLS, ID, LOGIN or AUTHENTICATE (RFC 9051 §6.1,
// §6.2; RFC 2971; RFC 4959). Pure: lines in, lines out.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "login/core/proxy-dialogue.h"
#include "login/core/proxy-target.h"

namespace culver {

// What the backend is told of the client, and what the client expects.
struct ImapProxyClient {
    std::string tag, session, remote_ip, local_ip;
    std::uint16_t remote_port = 0, local_port = 0;
    unsigned ttl = 5;  // how many proxies may still follow
    // It has asked for CAPABILITY, so it may not understand [CAPABILITY] in an answer.
    bool asked_capability = false;
};

class ImapProxyDialogue final : public ProxyDialogue {
public:
    // `target` must outlive it.
    ImapProxyDialogue(const ProxyTarget& target, ImapProxyClient client);
    ~ImapProxyDialogue() override;

    ProxyStep on_line(std::string_view line) override;
    ProxyStep on_tls() override;
    std::string take_output() override;
    std::string state() const override;

private:
    enum class Phase { Greeting, Capability, StartTls, Id, Login };

    ProxyStep on_greeting(std::string_view line);
    ProxyStep on_untagged(std::string_view line);
    ProxyStep on_continuation();
    ProxyStep on_login_answer(std::string_view answer);
    ProxyStep logged_in(std::string_view text);
    void know(std::string_view capabilities);
    bool can(std::string_view capability) const;
    ProxyStep go_on();
    ProxyStep send_login();
    void send_authenticate(const std::string& mechanism);
    void send_id();

    const ProxyTarget& target_;
    ImapProxyClient client_;
    Phase phase_ = Phase::Greeting;
    std::string capabilities_, output_, for_client_;
    std::deque<std::string> parts_;  // each for a `+` of the backend
    std::vector<std::string_view> sent_;
    std::string_view received_ = "none";
    bool knows_capabilities_ = false, tls_done_ = false;
};

}  // namespace culver
