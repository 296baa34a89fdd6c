// The messages of a client to each SASL mechanism, without a server around it. The first byte picks the mechanism, the
// second what the login process says; 0xff ends a message.
#include <string>
#include <string_view>

#include "lib-auth/mechanism.h"

using namespace culver;

namespace {
// Keys that are derived already: a plain password would cost thousands of hashes for each input.
std::string_view stored_for(std::string_view mechanism) {
    if (mechanism.starts_with("SCRAM-SHA-256"))
        return "{SCRAM-SHA-256}4096,Hmz5nezwkew+iCh+o4q7IA==,UQoK1k0PllpEkexAZmOqUcImNB9V0W2UAmNSIGGOMFw=,"
               "6WZRaP8QM20DYoQoitSolX4DvviKyUYmlDE/8B+Kg9I=";
    if (mechanism.starts_with("SCRAM-SHA-1"))
        return "{SCRAM-SHA-1}4096,CJngj9QpW9YUwHolOJO9mg==,gB3RkYnaQr3CK8cYtSKOUVP9zo4=,zx/T1er41LLbbreimPbjm7+Z8+U=";
    return "{PLAIN}secret";
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 2 || size > 60'000) return 0;
    const auto specs = mechanism_specs();
    const MechanismSpec& spec = specs[data[0] % specs.size()];
    AuthRequest request;
    AuthSettings settings;
    settings.mechanisms = {"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};
    if (data[1] & 1) request.tls_exporter = std::string(32, 'E');
    if (data[1] & 2) request.tls_server_end_point = std::string(32, 'P');
    request.valid_client_cert = data[1] & 4;
    if (data[1] & 8) request.cert_username = "alice";
    settings.ssl_username_from_cert = data[1] & 16;
    if (data[1] & 32) settings.realms = {"one.test", "two.test"};
    auto mechanism = spec.make(request, settings);
    SaslStep step;
    if (data[1] & 64) step = mechanism->start();
    std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
    for (int messages = 0; messages < 10 && !rest.empty(); ++messages) {
        const std::size_t end = std::min(rest.find('\xff'), rest.size());
        step = mechanism->step(rest.substr(0, end));
        if (step.kind == SaslStep::Kind::NeedCredentials) step = mechanism->with_credentials(stored_for(spec.name));
        if (step.kind != SaslStep::Kind::Challenge) break;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    // Whoever does not know the password gets nowhere: its proofs are not to be found by chance.
    if (step.kind == SaslStep::Kind::Success && spec.name != "ANONYMOUS") __builtin_trap();
    return 0;
}
