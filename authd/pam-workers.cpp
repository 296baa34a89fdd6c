#include "authd/pam-workers.h"

#include <fmt/format.h>
#include <shadow.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "authd/pam-session.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr unsigned kModuleSeconds = 60;

std::string serialize(const PamCall& call) {
    std::string out;
    for (std::string_view field : {std::string_view(call.service), std::string_view(call.user),
                                   std::string_view(call.password), std::string_view(call.remote_ip)})
        out += tab_escape(field) + '\t';
    return out + (call.session ? "s" : "") + (call.setcred ? "c" : "") +
           fmt::format("\t{}\t{}", static_cast<int>(call.kind), call.max_requests);
}

PamCall parse_call(std::string_view bytes) {
    auto fields = split(bytes, '\t');
    PamCall call;
    if (fields.size() < 7) return call;
    call.service = tab_unescape(fields[0]);
    call.user = tab_unescape(fields[1]);
    call.password = tab_unescape(fields[2]);
    call.remote_ip = tab_unescape(fields[3]);
    call.session = fields[4].find('s') != fields[4].npos;
    call.setcred = fields[4].find('c') != fields[4].npos;
    call.kind = static_cast<PamCall::Kind>(parse_uint32(fields[5]).value_or(0));
    call.max_requests = parse_uint32(fields[6]).value_or(1);
    return call;
}

std::string serialize(const PamAnswer& answer) {
    return fmt::format("{}\t{}\t{}\t{}\t{}\t{}", static_cast<int>(answer.verdict), answer.temporary_failure ? 1 : 0,
                       tab_escape(answer.user), tab_escape(answer.error), tab_escape(answer.message),
                       tab_escape(answer.secret.reveal()));
}

Result<PamAnswer> parse_answer(std::string_view bytes) {
    auto fields = split(bytes, '\t');
    auto verdict = parse_uint32(fields[0]);
    if (fields.size() != 6 || !verdict || *verdict > static_cast<unsigned>(Verdict::Expired))
        return fail(ErrorCode::Unavailable, "PAM worker gave a broken answer");
    PamAnswer answer;
    answer.verdict = static_cast<Verdict>(*verdict);
    answer.temporary_failure = fields[1] == "1";
    answer.user = tab_unescape(fields[2]);
    answer.error = tab_unescape(fields[3]);
    answer.message = tab_unescape(fields[4]);
    answer.secret = SecretString(tab_unescape(fields[5]));
    return answer;
}

PamAnswer read_shadow(const PamCall& call) {
    PamAnswer answer;
    errno = 0;
    const spwd* entry = ::getspnam(call.user.c_str());
    answer.verdict = entry ? Verdict::Match : Verdict::UnknownUser;
    if (entry) answer.secret = SecretString(entry->sp_pwdp ? entry->sp_pwdp : "");
    constexpr long kDay = 24 * 60 * 60;
    const bool has_expired = entry && entry->sp_expire != -1 && ::time(nullptr) / kDay >= entry->sp_expire;
    if (call.kind == PamCall::Kind::ShadowAccount && has_expired) answer.verdict = Verdict::Expired;
    if (!entry && errno == EACCES) {
        answer.temporary_failure = true;
        answer.error = "getspnam() failed: Permission denied (only root may read /etc/shadow)";
    }
    return answer;
}

HelperAnswer answer(std::string_view question) {
    PamCall call = parse_call(question);
    const bool is_pam = call.kind == PamCall::Kind::Pam || call.kind == PamCall::Kind::PamAccount;
    PamAnswer reply = is_pam ? run_pam(call) : read_shadow(call);
    ::explicit_bzero(call.password.data(), call.password.size());
    return {serialize(reply), call.max_requests};
}
}  // namespace

HelperKind pam_helpers(std::function<bool()> prepare, std::size_t at_once) {
    return {"auth-pam", std::move(prepare), answer, kModuleSeconds, at_once};
}

Result<PamAnswer> PamWorkers::authenticate(const PamCall& call) {
    std::string question = serialize(call);
    auto bytes = helpers_.ask(kind_, question);
    ::explicit_bzero(question.data(), question.size());
    if (!bytes && bytes.error().code == ErrorCode::Timeout)
        return fail(ErrorCode::Unavailable, fmt::format("a PAM module of service {} hung for {} secs or crashed",
                                                        call.service, kModuleSeconds));
    if (!bytes) return fail(bytes.error());
    auto reply = parse_answer(*bytes);
    ::explicit_bzero(bytes->data(), bytes->size());
    return reply;
}

}  // namespace culver
