// One line per SASL mechanism.
#include "lib-auth/mechanisms/makers.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr MechanismSpec kSpecs[] = {
    {"PLAIN", "plaintext", true, mechanisms::make_plain},
    {"LOGIN", "plaintext", true, mechanisms::make_login},
    {"CRAM-MD5", "dictionary\tactive", true, mechanisms::make_cram_md5},
    {"DIGEST-MD5", "dictionary\tactive\tmutual-auth", true, mechanisms::make_digest_md5},
    {"SCRAM-SHA-1", "mutual-auth", true, mechanisms::make_scram_sha1, true},
    {"SCRAM-SHA-256", "mutual-auth", true, mechanisms::make_scram_sha256, true},
    {"SCRAM-SHA-1-PLUS", "mutual-auth\tchannel-binding", true, mechanisms::make_scram_sha1_plus, true, true},
    {"SCRAM-SHA-256-PLUS", "mutual-auth\tchannel-binding", true, mechanisms::make_scram_sha256_plus, true, true},
    {"OAUTHBEARER", "plaintext", true, mechanisms::make_oauthbearer},
    {"XOAUTH2", "plaintext", true, mechanisms::make_xoauth2},
    {"EXTERNAL", "", true, mechanisms::make_external},
    {"ANONYMOUS", "anonymous", false, mechanisms::make_anonymous},
};
}

std::span<const MechanismSpec> mechanism_specs() { return kSpecs; }

const MechanismSpec* find_mechanism(std::string_view name) {
    for (const MechanismSpec& spec : kSpecs)
        if (equals_ignore_case(spec.name, name)) return &spec;
    return nullptr;
}

SaslStep Mechanism::start() { return SaslStep::challenge(""); }
SaslStep Mechanism::with_credentials(std::string_view) { return SaslStep::failure("mechanism needs no credentials"); }
SaslStep Mechanism::refused(bool) { return SaslStep::failure({}); }

SaslStep SaslStep::challenge(std::string bytes) {
    SaslStep step;
    step.kind = Kind::Challenge;
    step.data = std::move(bytes);
    return step;
}

namespace {
SaslStep naming(SaslStep::Kind kind, std::string_view user, std::string_view authorization) {
    SaslStep step;
    step.kind = kind;
    step.user = user;
    step.authorization = authorization;
    return step;
}
}  // namespace

SaslStep SaslStep::check_password(std::string_view user, std::string_view authorization, std::string_view password) {
    SaslStep step = naming(Kind::CheckPassword, user, authorization);
    step.password = SecretString(password);
    return step;
}

SaslStep SaslStep::need_credentials(std::string_view user, std::string_view authorization) {
    return naming(Kind::NeedCredentials, user, authorization);
}

SaslStep SaslStep::success(std::string_view user, std::string_view authorization) {
    return naming(Kind::Success, user, authorization);
}

SaslStep SaslStep::success_with_data(std::string_view user, std::string data) {
    SaslStep step = success(user);
    step.data = std::move(data);
    step.has_data = true;
    return step;
}

SaslStep SaslStep::failure(std::string why) {
    SaslStep step;
    step.data = std::move(why);
    return step;
}

}  // namespace culver
