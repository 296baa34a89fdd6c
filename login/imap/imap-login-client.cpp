#include "login/imap/imap-login-client.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-imap/writer.h"
#include "login/core/login-server.h"
#include "login/imap/imap-proxy-dialogue.h"

namespace culver {
namespace {

constexpr ScanLimits kScanLimits{.line = 8 << 10, .literal = 4 << 10, .literals = 8 << 10};
constexpr std::size_t kResponseLimit = 8 << 10;  // a SASL response in base64
constexpr unsigned kBadCommandLimit = 3;

constexpr char kPlaintextSent[] =
    "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. If anyone was "
    "listening, the password was exposed.\r\n";

// Passwords do not stay in freed memory.
void explicit_wipe(std::string& text) {
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

std::string_view response_code(AuthFailure::Kind kind) {
    using enum AuthFailure::Kind;
    switch (kind) {
        case Failed: return "AUTHENTICATIONFAILED";
        case Alert: return "ALERT";
        case NotAuthorized: return "AUTHORIZATIONFAILED";
        case Expired: return "EXPIRED";
        case NoLogin: return "CONTACTADMIN";
        case NeedsTls: return "PRIVACYREQUIRED";
        case Limit: return "LIMIT";
        case BadBase64:
        case Temporary:
        case Internal: break;
    }
    return "UNAVAILABLE";
}

// RFC 2221: imap://user;AUTH=mechanism@host:port/
std::string referral(const AuthFailure& failure, std::string_view mechanism) {
    std::string url = "REFERRAL imap://";
    for (char c : failure.elsewhere_user) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              std::string_view("-_.~").find(c) != std::string_view::npos;
        url += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    url += fmt::format(";AUTH={}@{}", mechanism, failure.elsewhere_host);
    if (failure.elsewhere_port != 0 && failure.elsewhere_port != 143) url += fmt::format(":{}", failure.elsewhere_port);
    return url + '/';
}

// One line, whatever a database says, and a response code that ends where it should.
std::string one_line(std::string text) {
    for (char& c : text)
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    return text;
}

}  // namespace

ImapLoginClient::ImapLoginClient(LoginServer& server, Arrival arrival, LoginSettings settings)
    : LoginClient(server, std::move(arrival), std::move(settings)), scanner_(kScanLimits) {}

void ImapLoginClient::reply(std::string_view text) { send(fmt::format("{} {}\r\n", tag_, text)); }

void ImapLoginClient::send_bye(std::string_view text) { send(fmt::format("* BYE {}\r\n", text)); }

void ImapLoginClient::greet() { send(fmt::format("* OK [CAPABILITY {}] {}\r\n", capabilities(), settings().greeting)); }

std::string ImapLoginClient::capabilities() const {
    const bool literal_minus = settings().view->boolean("imap_literal_minus");
    std::string text =
        std::string("IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE ") + (literal_minus ? "LITERAL-" : "LITERAL+");
    if (can_start_tls()) text += " STARTTLS";
    const bool needs_tls = plaintext() == Plaintext::NeedsTls;
    if (needs_tls) text += " LOGINDISABLED";
    if (needs_tls && settings().tls == TlsPolicy::Required) return text;
    for (const AuthMechanismInfo& mechanism : const_cast<ImapLoginClient*>(this)->server().auth().mechanisms()) {
        if (!offers(mechanism) || (needs_tls && mechanism.plaintext)) continue;
        text += " AUTH=" + mechanism.name;
    }
    return text;
}

void ImapLoginClient::input_buffer_full() {
    note_nonsense();
    send_bye("Input buffer full, aborting");
    disconnect("Input buffer full");
}

void ImapLoginClient::on_input() {
    if (is_first_command_ && hint_at_tls()) return;
    while (true) {
        if (awaits_response() ? !take_response_line() : (is_busy() || !take_command())) return;
    }
}

// A TLS ClientHello on this port: someone chose the wrong port or the wrong kind of encryption.
bool ImapLoginClient::hint_at_tls() {
    if (is_tls() || input().size() < 3 || input()[0] != '\x16' || input()[1] != '\x03') return false;
    log_hint("TLS handshake on the port without TLS: the client should use STARTTLS here, or port 993 (imaps)");
    disconnect("TLS handshake without STARTTLS");
    return true;
}

bool ImapLoginClient::take_command() {
    const ScanResult found = scanner_.scan(input());
    switch (found.kind) {
        case ScanResult::Kind::NeedLine: return false;
        case ScanResult::Kind::TooLong:
        case ScanResult::Kind::LiteralTooLarge: input_buffer_full(); return false;
        case ScanResult::Kind::NeedLiteral:
            scanner_.accept_literal();
            if (found.synchronising) send("+ OK\r\n");
            return true;
        case ScanResult::Kind::Complete: break;
    }
    std::string line = input().substr(0, found.text_length);
    input().erase(0, found.length);
    scanner_.reset();
    is_first_command_ = false;
    run(line);
    explicit_wipe(line);
    return true;
}

void ImapLoginClient::run(std::string_view line) {
    PreloginCommand command = parse_prelogin_command(line);
    tag_ = command.tag;
    switch (command.name) {
        case PreloginCommand::Name::Invalid: return bad(command.error);
        case PreloginCommand::Name::Capability: return capability();
        case PreloginCommand::Name::Noop: return reply("OK NOOP completed.");
        case PreloginCommand::Name::StartTls: return start_tls_command();
        case PreloginCommand::Name::Login: return login(command);
        case PreloginCommand::Name::Authenticate: return authenticate_command(command);
        case PreloginCommand::Name::Id:
            take_forwarded(command.forwarded);
            send(id_response(settings().view->string("imap_id_send")) + "\r\n");
            return reply("OK ID completed.");
        case PreloginCommand::Name::Logout:
            send_bye("Logging out");
            reply("OK Logout completed.");
            return disconnect("Aborted login by logging out");
    }
}

void ImapLoginClient::bad(std::string_view text) {
    note_nonsense();
    if (++bad_commands_ < kBadCommandLimit) return reply(fmt::format("BAD {}", text));
    send_bye("Too many invalid IMAP commands.");
    disconnect("Too many invalid commands");
}

void ImapLoginClient::capability() {
    asked_capability_ = true;
    send(fmt::format("* CAPABILITY {}\r\n", capabilities()));
    reply("OK Pre-login capabilities listed, post-login capabilities have more.");
}

void ImapLoginClient::start_tls_command() {
    if (is_tls()) return reply("BAD TLS is already active.");
    if (!can_start_tls()) return reply("BAD TLS support isn't enabled.");
    reply("OK Begin TLS negotiation now.");
    start_tls();
}

void ImapLoginClient::refuse_plaintext(std::string_view text, bool password_was_sent) {
    note_refused_plaintext();
    if (password_was_sent) send(kPlaintextSent);
    reply(fmt::format("NO [PRIVACYREQUIRED] {}", text));
}

void ImapLoginClient::login(const PreloginCommand& command) {
    if (plaintext() == Plaintext::NeedsTls)
        return refuse_plaintext("Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", true);
    std::string message = '\0' + command.user + '\0' + command.password;  // RFC 4616
    SecretString secret(message);
    explicit_wipe(message);
    authenticate("PLAIN", std::move(secret), command.user);
}

void ImapLoginClient::authenticate_command(const PreloginCommand& command) {
    const std::optional<std::string>& encoded = command.initial_response;
    if (!is_secured() && settings().tls == TlsPolicy::Required)
        return refuse_plaintext("Authentication not allowed until SSL/TLS is enabled.", encoded.has_value());
    const AuthMechanismInfo* info = nullptr;
    for (const AuthMechanismInfo& each : server().auth().mechanisms())
        if (each.name == command.mechanism && offers(each)) info = &each;
    if (!info) {
        note_unsupported_mechanism();
        return reply("NO [ALERT] Unsupported authentication mechanism.");
    }
    if (info->plaintext && plaintext() == Plaintext::NeedsTls)
        return refuse_plaintext("Plaintext authentication disabled.", encoded.has_value());
    std::optional<SecretString> initial;
    if (encoded) {
        // "=" is a response of no bytes (RFC 4959 §3).
        auto decoded = *encoded == "=" ? std::optional<std::string>("") : base64_decode(*encoded);
        if (!decoded) {
            note_invalid_response();
            return reply("BAD Invalid base64 data in initial response");
        }
        initial = SecretString(*decoded);
        explicit_wipe(*decoded);
    }
    authenticate(command.mechanism, std::move(initial), "");
}

void ImapLoginClient::on_challenge(const std::string& challenge) {
    send(fmt::format("+ {}\r\n", base64_encode(challenge)));
}

bool ImapLoginClient::take_response_line() {
    const auto end = input().find('\n');
    if (end == std::string::npos ? input().size() > kResponseLimit : end > kResponseLimit) {
        abort_authentication();
        input_buffer_full();
        return false;
    }
    if (end == std::string::npos) return false;
    std::string line = input().substr(0, end);
    input().erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    if (line == "*") {
        abort_authentication();
        reply("BAD Authentication aborted by client.");
        return true;
    }
    auto decoded = base64_decode(line);
    explicit_wipe(line);
    if (!decoded) {
        abort_authentication();
        reply("BAD Invalid base64 data in continued response");
        return true;
    }
    respond(SecretString(*decoded));
    explicit_wipe(*decoded);
    return true;
}

void ImapLoginClient::on_auth_failure(const AuthFailure& failure) {
    if (failure.kind == AuthFailure::Kind::BadBase64) return reply("BAD " + failure.text);
    const std::string text = one_line(failure.text);
    if (!failure.elsewhere_host.empty() && failure.elsewhere_host.find_first_of("]/ ") == std::string::npos)
        reply(fmt::format("NO [{}] {}", one_line(referral(failure, mechanism())), text));
    else reply(fmt::format("NO [{}] {}", response_code(failure.kind), text));
    if (failure.kind == AuthFailure::Kind::Limit) send_bye(text);
}

std::unique_ptr<ProxyDialogue> ImapLoginClient::make_proxy_dialogue(const ProxyTarget& target) {
    const Arrival& own = arrival();
    return std::make_unique<ImapProxyDialogue>(target, ImapProxyClient{.tag = tag_,
                                                                       .session = own.session,
                                                                       .remote_ip = own.remote.to_string(),
                                                                       .local_ip = own.local.to_string(),
                                                                       .remote_port = own.remote_port,
                                                                       .local_port = own.local_port,
                                                                       .ttl = own.proxy_ttl,
                                                                       .asked_capability = asked_capability_});
}

std::string id_response(std::string_view imap_id_send) {
    const auto words = split_words(imap_id_send);
    if (words.size() < 2) return "* ID NIL";
    utsname system{};
    ::uname(&system);
    std::string out = "* ID (";
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
        if (i > 0) out += ' ';
        append_quoted(out, words[i]);
        out += ' ';
        std::string value(words[i + 1]);
        if (value == "*") {
            if (equals_ignore_case(words[i], "name")) value = "Dovecot";  // what clients know how to treat
            else if (equals_ignore_case(words[i], "os")) value = system.sysname;
            else if (equals_ignore_case(words[i], "os-version")) value = system.release;
            else value.clear();
        }
        if (value.empty()) out += "NIL";
        else append_quoted(out, value);
    }
    return out + ")";
}

}  // namespace culver
