#include "login/imap/imap-proxy-dialogue.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "lib-base/text.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

constexpr std::size_t kForClientLimit = 8 << 10;
// What an ID command may hold (RFC 2971 §3.3).
constexpr std::size_t kIdKeyLimit = 30, kIdValueLimit = 1024;

void wipe(std::string& text) {
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

bool fits_quotes(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x80 && byte != 0 && byte != '\r' && byte != '\n';
    });
}

// "[CAPABILITY IMAP4rev1 ID] text": IMAP4rev1 ID.
std::string_view capability_code(std::string_view text) {
    constexpr std::string_view kCode = "[CAPABILITY ";
    if (!starts_with_ignore_case(text, kCode)) return {};
    text.remove_prefix(kCode.size());
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

// RFC 5801 §4.
std::string gs2_name(std::string_view name) {
    std::string out;
    for (char c : name) out += c == ',' ? "=2C" : c == '=' ? "=3D" : std::string(1, c);
    return out;
}

ProxyStep failed(std::string text, bool needs_admin) {
    return {.kind = ProxyStep::Kind::Failed, .text = std::move(text), .needs_admin = needs_admin};
}

}  // namespace

ImapProxyDialogue::ImapProxyDialogue(const ProxyTarget& target, ImapProxyClient client)
    : target_(target), client_(std::move(client)) {}

ImapProxyDialogue::~ImapProxyDialogue() {
    wipe(output_);
    for (std::string& part : parts_) wipe(part);
}

std::string ImapProxyDialogue::take_output() { return std::exchange(output_, {}); }

std::string ImapProxyDialogue::state() const {
    std::string text;
    for (std::string_view word : sent_) text += (text.empty() ? "" : "+") + std::string(word);
    return text + "/" + std::string(received_);
}

ProxyStep ImapProxyDialogue::on_line(std::string_view line) {
    if (line.find('\0') != std::string_view::npos) return failed("Remote server sent invalid input: NUL", false);
    if (phase_ == Phase::Greeting) return on_greeting(line);
    const auto answered = [&](std::string_view word) {
        std::erase(sent_, word);
        received_ = word;
    };
    if (line.starts_with("* ")) return on_untagged(line);
    if (line.starts_with("+")) return on_continuation();
    if (line.starts_with("C ") && phase_ == Phase::Capability) {
        answered("capability");
        knows_capabilities_ = true;
        return go_on();
    }
    if (line.starts_with("S ") && phase_ == Phase::StartTls) {
        answered("starttls");
        if (starts_with_ignore_case(line, "S OK")) return {.kind = ProxyStep::Kind::StartTls};
        line.remove_prefix(starts_with_ignore_case(line, "S NO ") ? 5 : 2);
        return failed("Aborting due to remote server: STARTTLS failed: " + std::string(line), false);
    }
    if (line.starts_with("I ")) {
        answered("id");
        return phase_ == Phase::Id ? send_login() : ProxyStep{};
    }
    if (line.starts_with("L ") && phase_ == Phase::Login) {
        answered("login");
        return on_login_answer(line.substr(2));
    }
    return {.text = "Unexpected input, ignoring: " + std::string(line)};
}

ProxyStep ImapProxyDialogue::on_greeting(std::string_view line) {
    constexpr std::string_view kOk = "* OK ";
    if (!starts_with_ignore_case(line, kOk))
        return failed("Remote server sent invalid input: Invalid banner: " + std::string(line), false);
    received_ = "banner";
    know(capability_code(line.substr(kOk.size())));
    return go_on();
}

void ImapProxyDialogue::know(std::string_view capabilities) {
    if (capabilities.empty()) return;
    capabilities_ = capabilities;
    knows_capabilities_ = true;
}

bool ImapProxyDialogue::can(std::string_view capability) const {
    return std::ranges::any_of(split_words(capabilities_),
                               [&](std::string_view word) { return equals_ignore_case(word, capability); });
}

// The next step on the way to the login.
ProxyStep ImapProxyDialogue::go_on() {
    if (!knows_capabilities_) {
        phase_ = Phase::Capability;
        output_ += "C CAPABILITY\r\n";
        sent_.push_back("capability");
        return {};
    }
    const bool wants_tls = target_.tls == ProxyTarget::Tls::StartTls && !tls_done_;
    if (wants_tls) {
        if (!can("STARTTLS")) return failed("Aborting due to remote server: STARTTLS not supported", true);
        phase_ = Phase::StartTls;
        output_ += "S STARTTLS\r\n";
        sent_.push_back("starttls");
        return {};
    }
    const bool in_the_clear = target_.tls == ProxyTarget::Tls::No;
    if (in_the_clear && can("LOGINDISABLED") && target_.mechanism.empty() && target_.master.empty())
        return failed("Aborting due to remote server: LOGINDISABLED advertised, but SSL/TLS not enabled", true);
    const bool sends_id = target_.trusted && can("ID");
    if (sends_id) send_id();
    if (sends_id && !target_.pipelining) {
        phase_ = Phase::Id;
        return {};
    }
    return send_login();
}

// What was said in the clear counts no more (RFC 9051 §6.2.1), so the capabilities are asked for again.
ProxyStep ImapProxyDialogue::on_tls() {
    tls_done_ = true;
    knows_capabilities_ = false;
    capabilities_.clear();
    for_client_.clear();
    return go_on();
}

void ImapProxyDialogue::send_id() {
    std::string command = "I ID (";
    bool is_first = true;
    const auto add = [&](std::string_view key, std::string_view value) {
        if (key.size() > kIdKeyLimit || value.size() > kIdValueLimit || !fits_quotes(key) || !fits_quotes(value))
            return;
        if (!std::exchange(is_first, false)) command += ' ';
        append_quoted(command, key);
        command += ' ';
        append_quoted(command, value);
    };
    add("x-session-id", client_.session);
    add("x-originating-ip", client_.remote_ip);
    add("x-originating-port", std::to_string(client_.remote_port));
    add("x-connected-ip", client_.local_ip);
    add("x-connected-port", std::to_string(client_.local_port));
    add("x-proxy-ttl", std::to_string(client_.ttl - 1));
    for (const auto& [key, value] : target_.forwarded) add("x-forward-" + key, value);
    output_ += command + ")\r\n";
    sent_.push_back("id");
}

ProxyStep ImapProxyDialogue::send_login() {
    phase_ = Phase::Login;
    sent_.push_back("login");
    if (!target_.mechanism.empty() || !target_.master.empty()) {
        const std::string mechanism = target_.mechanism.empty() ? "PLAIN" : target_.mechanism;
        static constexpr std::string_view kKnown[] = {"PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2"};
        if (std::ranges::find(kKnown, mechanism) == std::end(kKnown))
            return failed("Unsupported SASL mechanism " + mechanism, false);
        send_authenticate(mechanism);
        return {};
    }
    const bool is_simple = fits_quotes(target_.user) && fits_quotes(target_.password.reveal());
    const bool no_wait = can("LITERAL+") || can("LITERAL-");
    if (!is_simple && !no_wait && can("AUTH=PLAIN")) {
        send_authenticate("PLAIN");
        return {};
    }
    std::string part = "L LOGIN";
    for (std::string_view argument : {std::string_view(target_.user), target_.password.reveal()}) {
        part += ' ';
        if (fits_quotes(argument)) {
            append_quoted(part, argument);
            continue;
        }
        part += fmt::format("{{{}{}}}\r\n", argument.size(), no_wait ? "+" : "");
        if (!no_wait) parts_.push_back(std::exchange(part, {}));
        part += argument;
    }
    parts_.push_back(part + "\r\n");
    wipe(part);
    on_continuation();
    return {};
}

void ImapProxyDialogue::send_authenticate(const std::string& mechanism) {
    const std::string_view password = target_.password.reveal();
    const bool has_master = !target_.master.empty();
    std::string response;
    if (mechanism == "PLAIN") {
        // RFC 4616: authzid NUL authcid NUL passwd. The first is empty unless somebody else's password is used.
        response = (has_master || mechanism == target_.mechanism ? target_.user : std::string()) + '\0' +
                   (has_master ? target_.master : target_.user) + '\0';
        response += password;
    } else if (mechanism == "EXTERNAL") {
        response = target_.user;
    } else if (mechanism == "OAUTHBEARER") {
        response = "n,a=" + gs2_name(target_.user) + ",\1auth=Bearer ";
        response.append(password) += "\1\1";
    } else if (mechanism == "XOAUTH2") {
        response = "user=" + target_.user + "\1auth=Bearer ";
        response.append(password) += "\1\1";
    }
    std::string command = "L AUTHENTICATE " + mechanism;
    const bool begins_here = mechanism != "LOGIN";
    std::string encoded = begins_here ? base64_encode(response) : base64_encode(target_.user);
    wipe(response);
    if (begins_here && can("SASL-IR")) {
        command += ' ' + (encoded.empty() ? "=" : encoded);
        parts_.push_back(command + "\r\n");
    } else {
        parts_.push_back(command + "\r\n");
        parts_.push_back(encoded + "\r\n");
    }
    wipe(command);
    wipe(encoded);
    if (mechanism == "LOGIN") parts_.push_back(base64_encode(password) + "\r\n");
    // Their servers say what is wrong in one more challenge (RFC 7628 §3.2.3).
    if (mechanism == "OAUTHBEARER") parts_.push_back("AQ==\r\n");
    if (mechanism == "XOAUTH2") parts_.push_back("\r\n");
    on_continuation();
}

ProxyStep ImapProxyDialogue::on_continuation() {
    if (phase_ != Phase::Login) return {.text = "Unexpected input, ignoring: +"};
    if (parts_.empty()) return failed("Remote server sent invalid input: It asks for more than there is to say", false);
    output_ += parts_.front();
    wipe(parts_.front());
    parts_.pop_front();
    return {};
}

ProxyStep ImapProxyDialogue::on_untagged(std::string_view line) {
    const std::string_view rest = line.substr(2);
    constexpr std::string_view kCapability = "CAPABILITY ";
    if (starts_with_ignore_case(rest, kCapability)) {
        know(rest.substr(kCapability.size()));
        return {};
    }
    const bool is_for_us = starts_with_ignore_case(rest, "ID ") || starts_with_ignore_case(rest, "BYE");
    if (is_for_us || phase_ != Phase::Login) return {};
    if (for_client_.size() + line.size() > kForClientLimit)
        return failed("Remote server sent invalid input: Too much input before the login", false);
    for_client_.append(line) += "\r\n";
    return {};
}

ProxyStep ImapProxyDialogue::on_login_answer(std::string_view answer) {
    if (starts_with_ignore_case(answer, "OK ") || equals_ignore_case(answer, "OK"))
        return logged_in(answer.size() > 3 ? answer.substr(3) : std::string_view());
    ProxyStep step{.kind = ProxyStep::Kind::Refused};
    const bool is_no = starts_with_ignore_case(answer, "NO ");
    const std::string_view text = is_no ? answer.substr(3) : answer;
    step.log = text;
    // A reason of the backend's own reaches the client; a wrong password looks as it always does.
    const bool has_code = is_no && text.starts_with('[') && text.find(']') != std::string_view::npos;
    step.is_guess = is_no && (!has_code || starts_with_ignore_case(text, "[AUTHENTICATIONFAILED]"));
    if (has_code && !step.is_guess) step.text = "NO " + std::string(text);
    else step.text = "NO [AUTHENTICATIONFAILED] Authentication failed.";
    return step;
}

// The client must get to know the backend's capabilities: its own greeting has told those of the proxy.
ProxyStep ImapProxyDialogue::logged_in(std::string_view text) {
    const std::string_view code = capability_code(text);
    if (!code.empty()) know(code);
    std::string answer = std::move(for_client_);
    if (client_.asked_capability && knows_capabilities_ && !capabilities_.empty()) {
        if (!code.empty()) text = trim(text.substr(text.find(']') + 1));
        answer += fmt::format("* CAPABILITY {}\r\n{} OK {}\r\n", capabilities_, client_.tag, text);
    } else if (code.empty() && !capabilities_.empty()) {
        answer += fmt::format("{} OK [CAPABILITY {}] {}\r\n", client_.tag, capabilities_, text);
    } else {
        answer += fmt::format("{} OK {}\r\n", client_.tag, text);
    }
    return {.kind = ProxyStep::Kind::LoggedIn, .text = std::move(answer)};
}

}  // namespace culver
