#include "authd/pam-session.h"

#include <fmt/format.h>
#include <security/pam_appl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace culver {

namespace {
constexpr int kMessageLimit = 32;
constexpr std::size_t kShownLimit = 1024;

struct Conversation {
    const PamCall* call;
    std::string shown;  // what the modules said to the user

    void show(std::string_view message) {
        if (shown.size() >= kShownLimit) return;
        if (!shown.empty()) shown += "; ";
        shown += message.substr(0, kShownLimit - std::min(kShownLimit, shown.size()));
    }
};

// The modules' questions: the name when they echo, the password when they do not.
int converse(int count, const pam_message** messages, pam_response** responses, void* data) {
    auto& conversation = *static_cast<Conversation*>(data);
    if (count <= 0 || count > kMessageLimit) return PAM_CONV_ERR;
    auto* answers = static_cast<pam_response*>(::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    if (!answers) return PAM_BUF_ERR;
    for (int i = 0; i < count; ++i) {
        switch (messages[i]->msg_style) {
            case PAM_PROMPT_ECHO_ON: answers[i].resp = ::strdup(conversation.call->user.c_str()); break;
            case PAM_PROMPT_ECHO_OFF: answers[i].resp = ::strdup(conversation.call->password.c_str()); break;
            case PAM_ERROR_MSG:
            case PAM_TEXT_INFO: conversation.show(messages[i]->msg); break;
            default: break;
        }
    }
    *responses = answers;  // PAM frees them
    return PAM_SUCCESS;
}

// authd delays refusals itself, without holding a process for it.
void no_delay(int, unsigned, void*) {}

constexpr std::string_view kAuthenticate = "pam_authenticate()";

std::string describe(pam_handle_t* handle, std::string_view what, int status, const PamCall& call) {
    std::string text = fmt::format("{} failed: {}", what, ::pam_strerror(handle, status));
    if (status == PAM_USER_UNKNOWN && what == kAuthenticate) text = "unknown user";
    if (status == PAM_AUTH_ERR && what == kAuthenticate) text += " (Password mismatch?)";
    std::string file = "/etc/pam.d/" + call.service;
    if (::access(file.c_str(), F_OK) != 0) text += fmt::format(" ({} missing?)", file);
    return text;
}

// The modules could not tell. (Dovecot takes these for a wrong password.)
bool is_temporary(int status) {
    return status == PAM_SYSTEM_ERR || status == PAM_BUF_ERR || status == PAM_ABORT || status == PAM_SERVICE_ERR ||
           status == PAM_OPEN_ERR || status == PAM_SYMBOL_ERR || status == PAM_AUTHINFO_UNAVAIL;
}

PamAnswer failed(pam_handle_t* handle, std::string_view what, int status, const PamCall& call) {
    PamAnswer answer;
    answer.error = describe(handle, what, status, call);
    answer.temporary_failure = is_temporary(status);
    if (status == PAM_USER_UNKNOWN) answer.verdict = Verdict::UnknownUser;
    if (status == PAM_NEW_AUTHTOK_REQD || status == PAM_ACCT_EXPIRED || status == PAM_AUTHTOK_EXPIRED)
        answer.verdict = Verdict::Expired;
    return answer;
}

PamAnswer converse_with(pam_handle_t* handle, const PamCall& call) {
    if (!call.remote_ip.empty()) ::pam_set_item(handle, PAM_RHOST, call.remote_ip.c_str());
    ::pam_set_item(handle, PAM_RUSER, call.user.c_str());
    ::pam_set_item(handle, PAM_TTY, "dovecot");  // as log readers know it
    ::pam_set_item(handle, PAM_FAIL_DELAY, reinterpret_cast<const void*>(no_delay));
    const bool account_only = call.kind == PamCall::Kind::PamAccount;
    // In Dovecot's order.
    if (!account_only)
        if (int status = ::pam_authenticate(handle, 0); status != PAM_SUCCESS)
            return failed(handle, kAuthenticate, status, call);
    if (call.setcred && !account_only)
        if (int status = ::pam_setcred(handle, PAM_ESTABLISH_CRED); status != PAM_SUCCESS)
            return failed(handle, "pam_setcred()", status, call);
    if (int status = ::pam_acct_mgmt(handle, 0); status != PAM_SUCCESS)
        return failed(handle, "pam_acct_mgmt()", status, call);
    if (call.session && !account_only) {
        if (int status = ::pam_open_session(handle, 0); status != PAM_SUCCESS)
            return failed(handle, "pam_open_session()", status, call);
        if (int status = ::pam_close_session(handle, 0); status != PAM_SUCCESS)
            return failed(handle, "pam_close_session()", status, call);
    }
    PamAnswer answer;
    answer.verdict = Verdict::Match;
    const void* user = nullptr;
    if (::pam_get_item(handle, PAM_USER, &user) == PAM_SUCCESS && user) answer.user = static_cast<const char*>(user);
    return answer;
}
}  // namespace

PamAnswer run_pam(const PamCall& call) {
    Conversation conversation{&call, {}};
    pam_conv callbacks{converse, &conversation};
    pam_handle_t* handle = nullptr;
    if (int status = ::pam_start(call.service.c_str(), call.user.c_str(), &callbacks, &handle); status != PAM_SUCCESS) {
        PamAnswer answer;
        answer.temporary_failure = true;
        answer.error = fmt::format("pam_start({}) failed: {}", call.service, ::pam_strerror(handle, status));
        return answer;
    }
    PamAnswer answer = converse_with(handle, call);
    answer.message = std::move(conversation.shown);
    ::pam_end(handle, answer.verdict == Verdict::Match ? PAM_SUCCESS : PAM_AUTH_ERR);
    return answer;
}

}  // namespace culver
