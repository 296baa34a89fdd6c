// One line per SASL mechanism.
#include "lib-auth/mechanisms/makers.h"

#include "lib-base/text.h"

namespace culver {

namespace {
constexpr MechanismSpec kSpecs[] = {
    {"PLAIN", "plaintext", true, mechanisms::make_plain},
    {"LOGIN", "plaintext", true, mechanisms::make_login},
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

SaslStep SaslStep::challenge(std::string bytes) {
    SaslStep step;
    step.kind = Kind::Challenge;
    step.data = std::move(bytes);
    return step;
}

SaslStep SaslStep::check_password(std::string_view user, std::string_view authorization, std::string_view password) {
    SaslStep step;
    step.kind = Kind::CheckPassword;
    step.user = user;
    step.authorization = authorization;
    step.password = SecretString(password);
    return step;
}

SaslStep SaslStep::need_credentials(std::string_view user, std::string_view authorization) {
    SaslStep step;
    step.kind = Kind::NeedCredentials;
    step.user = user;
    step.authorization = authorization;
    return step;
}

SaslStep SaslStep::success(std::string_view user, std::string_view authorization) {
    SaslStep step;
    step.kind = Kind::Success;
    step.user = user;
    step.authorization = authorization;
    return step;
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
