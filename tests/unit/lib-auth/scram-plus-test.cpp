// SCRAM with and without channel binding: the flag of the gs2 header, and what it is bound to (RFC 5802 §6, RFC 9266).
#include <gtest/gtest.h>

#include "lib-auth/password-scheme.h"
#include "tests/unit/lib-auth/scram-client.h"

namespace culver {
namespace {

using Kind = SaslStep::Kind;
const std::string kExporter(32, 'E'), kEndPoint(32, 'P');
const std::string kEntry = "{PLAIN}secret";

struct Server {
    bool has_binding = true, offers_plus = true;

    std::unique_ptr<Mechanism> make(std::string_view name) const {
        AuthRequest request;
        if (has_binding) {
            request.tls_exporter = kExporter;
            request.tls_server_end_point = kEndPoint;
        }
        AuthSettings settings;
        settings.mechanisms = {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"};
        if (offers_plus)
            settings.mechanisms.insert(settings.mechanisms.end(), {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"});
        return find_mechanism(name)->make(request, settings);
    }
};

TEST(ScramPlus, OnlyTheRightFlagAndTheRightBindingLogIn) {
    const std::string plain = "SCRAM-SHA-256", plus = "SCRAM-SHA-256-PLUS";
    const std::string exporter = "p=tls-exporter,,", end_point = "p=tls-server-end-point,,";
    const Server bound, unbound{.has_binding = false}, without_plus{.offers_plus = false};
    struct {
        const char* what;
        Server server;
        std::string mechanism, header, binding;
        bool is_good;
        const char* problem = "";
    } cases[] = {
        {"bound to the exporter", bound, plus, exporter, kExporter, true},
        {"bound to the server's certificate", bound, plus, end_point, kEndPoint, true},
        {"bound, and as somebody else", bound, plus, "p=tls-exporter,a=boss,", kExporter, true},
        {"a client that cannot bind", bound, plain, "n,,", "", true},
        {"could bind, nothing to bind to", unbound, plain, "y,,", "", true},
        {"could bind, -PLUS is not configured", without_plus, plain, "y,,", "", true},
        {"could bind, did not see -PLUS", bound, plain, "y,,", "", false,
         "downgrade: SCRAM-SHA-256-PLUS was offered and not seen"},
        {"another connection's exporter", bound, plus, exporter, std::string(32, 'X'), false,
         "invalid channel binding data"},
        {"the other type's data", bound, plus, exporter, kEndPoint, false, "invalid channel binding data"},
        {"too little of it", bound, plus, exporter, kExporter.substr(0, 31), false, "invalid channel binding data"},
        {"nothing of it", bound, plus, exporter, "", false, "invalid channel binding data"},
        {"more than it", bound, plus, exporter, kExporter + "E", false, "invalid channel binding data"},
        {"data without a binding", bound, plain, "n,,", kExporter, false, "invalid channel binding data"},
        {"a type that the protocol does not carry", bound, plus, "p=tls-unique,,", kExporter, false,
         "channel binding type tls-unique cannot be had here"},
        {"no type", bound, plus, "p=,,", "", false},
        {"a type in capitals", bound, plus, "p=TLS-EXPORTER,,", kExporter, false},
        {"-PLUS without a binding", bound, plus, "n,,", "", false,
         "the client binds to no channel, but chose a mechanism with -PLUS"},
        {"-PLUS with y", bound, plus, "y,,", "", false,
         "the client binds to no channel, but chose a mechanism with -PLUS"},
        {"a binding without -PLUS", bound, plain, exporter, kExporter, false,
         "the client binds to a channel, but chose a mechanism without -PLUS"},
        {"the server knows of none", unbound, plus, exporter, "", false,
         "channel binding type tls-exporter cannot be had here"},
        {"no flag", bound, plus, ",,", "", false, "invalid gs2 header"},
    };
    for (const auto& c : cases) {
        auto mechanism = c.server.make(c.mechanism);
        SaslStep step = ScramClient{.header = c.header, .binding = c.binding}.log_in(*mechanism, kEntry);
        EXPECT_EQ(step.kind, c.is_good ? Kind::Success : Kind::Failure) << c.what << ": " << step.data;
        if (*c.problem) {
            EXPECT_EQ(step.data, c.problem) << c.what;
        }
    }
}

TEST(ScramPlus, ServesBothHashesAndTheirStoredKeys) {
    for (auto [name, kind] :
         {std::pair("SCRAM-SHA-1", schemes::Digest::Sha1), {"SCRAM-SHA-256", schemes::Digest::Sha256}}) {
        for (std::string scheme : {std::string("PLAIN"), std::string(name)}) {
            std::string entry = *generate_password(scheme, {"secret", "alice", {}});
            for (std::string password : {"secret", "wrong"}) {
                auto mechanism = Server{}.make(std::string(name) + "-PLUS");
                ScramClient client{
                    .kind = kind, .password = password, .header = "p=tls-exporter,,", .binding = kExporter};
                EXPECT_EQ(client.log_in(*mechanism, entry).kind, password == "secret" ? Kind::Success : Kind::Failure)
                    << name;
            }
        }
    }
}

// The flag is under the proof: taking it out of the message on the way breaks the login.
TEST(ScramPlus, AFlagThatWasChangedOnTheWayIsFound) {
    auto mechanism = Server{}.make("SCRAM-SHA-256");
    ScramClient client{.header = "p=tls-exporter,,", .binding = kExporter};
    SaslStep step = mechanism->step("n,," + client.bare());
    ASSERT_EQ(step.kind, Kind::NeedCredentials);
    step = mechanism->with_credentials(kEntry);
    ASSERT_EQ(step.kind, Kind::Challenge);
    EXPECT_EQ(client.finish(*mechanism, step.data).data, "invalid channel binding data");
}

TEST(ScramPlus, AnnouncesItselfAsBoundAndOnlyForLoginProcesses) {
    for (const MechanismSpec& spec : mechanism_specs()) {
        EXPECT_EQ(spec.needs_channel_binding, spec.name.ends_with("-PLUS")) << spec.name;
        EXPECT_EQ(spec.flags.find("channel-binding") != spec.flags.npos, spec.needs_channel_binding) << spec.name;
    }
}

}  // namespace
}  // namespace culver
