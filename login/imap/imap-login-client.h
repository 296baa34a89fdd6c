// The IMAP dialogue before login: CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, LOGIN, AUTHENTICATE (RFC 9051 §6.1, §6.2).
#pragma once

#include <string>
#include <string_view>

#include "lib-imap/command-scanner.h"
#include "login/core/login-client.h"
#include "login/imap/prelogin-command.h"

namespace culver {

// In place of a greeting, to a client that is not let in (RFC 9051 §7.1.5).
inline constexpr std::string_view kImapRefusal = "* BYE Too many connections are waiting to log in.\r\n";

class ImapLoginClient final : public LoginClient {
public:
    ImapLoginClient(LoginServer& server, Arrival arrival, LoginSettings settings);

protected:
    void greet() override;
    void on_input() override;
    void on_challenge(const std::string& challenge) override;
    void on_auth_failure(const AuthFailure& failure) override;
    void send_bye(std::string_view text) override;
    std::string tag_for_handover() const override { return tag_; }
    bool asked_capability() const override { return asked_capability_; }
    ProxyDefaults proxy_ports() const override { return {143, 993}; }
    std::unique_ptr<ProxyDialogue> make_proxy_dialogue(const ProxyTarget& target) override;
    void on_proxy_refused(const std::string& text) override { reply(text); }

private:
    // False: wait for more input, or the connection is over.
    bool take_command();
    bool take_response_line();
    void run(std::string_view line);
    void capability();
    void login(const PreloginCommand& command);
    void start_tls_command();
    void authenticate_command(const PreloginCommand& command);
    void refuse_plaintext(std::string_view text, bool password_was_sent);
    bool hint_at_tls();

    std::string capabilities() const;
    void reply(std::string_view text);
    void bad(std::string_view text);
    void input_buffer_full();

    CommandScanner scanner_;
    std::string tag_;
    unsigned bad_commands_ = 0;
    bool asked_capability_ = false, is_first_command_ = true;
};

// What ID says, from imap_id_send ("name *" by default): `* ID ("name" "Dovecot")`, without line end.
std::string id_response(std::string_view imap_id_send);

}  // namespace culver
