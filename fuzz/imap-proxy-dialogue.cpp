// What a backend may answer to a proxy that logs in: lines in, each in a few settings. Nothing may crash, what is sent
// stays bounded, a password never goes out in the clear where STARTTLS was wanted, and what the client is told is whole
// lines without NUL.
#include "login/imap/imap-proxy-dialogue.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "login/core/forwarded.h"

namespace {

using namespace culver;

void check(bool good) {
    if (!good) __builtin_trap();
}

void run(const ProxyTarget& target, std::string_view input) {
    ImapProxyDialogue dialogue(target, {.tag = "tag", .session = "s", .remote_ip = "192.0.2.1", .local_ip = "::1"});
    bool is_tls = target.tls != ProxyTarget::Tls::StartTls;
    std::size_t sent = 0;
    while (!input.empty()) {
        const auto end = input.find('\n');
        const ProxyStep step = dialogue.on_line(input.substr(0, end));
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
        const std::string output = dialogue.take_output();
        sent += output.size();
        check(sent < 8192 && !dialogue.state().empty());
        check(is_tls || output.find("LOGIN") == std::string::npos);
        if (step.kind == ProxyStep::Kind::GoOn) continue;
        if (step.kind == ProxyStep::Kind::StartTls) {
            check(!is_tls);
            is_tls = true;
            check(dialogue.on_tls().kind == ProxyStep::Kind::GoOn);
            continue;
        }
        if (step.kind == ProxyStep::Kind::LoggedIn)
            check(is_tls && step.text.ends_with("\r\n") && step.text.find('\0') == std::string::npos);
        if (step.kind == ProxyStep::Kind::Refused) check(step.text.starts_with("NO "));
        return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    ProxyTarget target;
    target.host = "backend.test";
    target.user = data[0] & 1 ? "b\"\xc3\xb6" : "bob";
    target.password = SecretString(data[0] & 1 ? "\xff" : "pass");
    if (data[0] & 2) target.master = "boss";
    if (data[0] & 4) target.tls = ProxyTarget::Tls::StartTls;
    target.pipelining = !(data[0] & 8);
    static constexpr const char* kMechanisms[] = {"", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2", "EXTERNAL", "X", ""};
    target.mechanism = kMechanisms[data[0] >> 4 & 7];
    run(target, input);
    return 0;
}
