#include "lib-auth/mechanism.h"

#include <gtest/gtest.h>

#include "lib-auth/password-scheme.h"
#include "lib-auth/schemes/derived.h"
#include "lib-base/text.h"
#include "tests/unit/lib-auth/scram-client.h"

namespace culver {
namespace {

using schemes::Digest;

std::unique_ptr<Mechanism> make(std::string_view name, const AuthRequest& request = {},
                                bool name_from_certificate = true) {
    AuthSettings settings;
    settings.ssl_username_from_cert = name_from_certificate;
    return find_mechanism(name)->make(request, settings);
}
std::string stored(std::string_view scheme, std::string_view password, std::string_view user = "alice") {
    return *generate_password(scheme, {password, user, {}});
}

TEST(Mechanism, PlainTakesThreeParts) {
    using namespace std::string_literals;
    SaslStep step = make("PLAIN")->step("bob\0alice\0secret"s);
    EXPECT_EQ(step.kind, SaslStep::Kind::CheckPassword);
    EXPECT_EQ(step.user, "alice");
    EXPECT_EQ(step.authorization, "bob");
    EXPECT_EQ(step.password.reveal(), "secret");
    for (const std::string& bad : {""s, "x"s, "\0x"s, "\0a\0b\0c"s, "\0a\0"s + std::string(2000, 'x')})
        EXPECT_EQ(make("PLAIN")->step(bad).kind, SaslStep::Kind::Failure);
}

TEST(Mechanism, EveryOneSurvivesAnyBytes) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    for (const MechanismSpec& spec : mechanism_specs()) {
        for (const std::string& bytes :
             {std::string(), std::string(1, '\0'), std::string(8000, ','), std::string(8000, '='), all,
              std::string("n,,n=,r="), std::string("n,,"), std::string("username=\"")}) {
            for (bool started : {false, true}) {
                auto mechanism = make(spec.name);
                if (started) mechanism->start();
                SaslStep step = mechanism->step(bytes);
                for (int i = 0; i < 3 && step.kind == SaslStep::Kind::Challenge; ++i) step = mechanism->step(bytes);
                if (step.kind == SaslStep::Kind::NeedCredentials) mechanism->with_credentials("{PLAIN}x");
                if (spec.name == "ANONYMOUS") continue;
                EXPECT_NE(step.kind, SaslStep::Kind::Success) << spec.name;
            }
        }
    }
}

TEST(Mechanism, CramMd5ProvesThePassword) {
    for (const char* scheme : {"PLAIN", "CRAM-MD5", "HMAC-MD5"}) {
        for (std::string password : {"secret", "wrong"}) {
            auto mechanism = make("CRAM-MD5");
            std::string challenge = mechanism->start().data;
            SaslStep step = mechanism->step("alice " + hex_encode(schemes::hmac(Digest::Md5, password, challenge)));
            ASSERT_EQ(step.kind, SaslStep::Kind::NeedCredentials);
            EXPECT_EQ(step.user, "alice");
            EXPECT_EQ(mechanism->with_credentials(stored(scheme, "secret")).kind,
                      password == "secret" ? SaslStep::Kind::Success : SaslStep::Kind::Failure)
                << scheme;
        }
    }
    auto mechanism = make("CRAM-MD5");
    mechanism->start();
    mechanism->step("alice " + std::string(32, '0'));
    EXPECT_EQ(mechanism->with_credentials(stored("SHA256-CRYPT", "secret")).data,
              "Requested CRAM-MD5 scheme, but we have only SHA256-CRYPT");
}

SaslStep scram_login(std::string_view name, Digest kind, const std::string& entry, const std::string& password,
                     const std::string& header = "n,,", const std::string& user = "alice") {
    auto mechanism = make(name);
    return ScramClient{.kind = kind, .password = password, .user = user, .header = header, .binding = {}}.log_in(
        *mechanism, entry);
}

TEST(Mechanism, ScramProvesThePasswordBothWays) {
    struct {
        const char* name;
        Digest kind;
    } kinds[] = {{"SCRAM-SHA-1", Digest::Sha1}, {"SCRAM-SHA-256", Digest::Sha256}};
    for (auto [name, kind] : kinds) {
        for (const std::string& entry : {stored(name, "secret"), stored("PLAIN", "secret")}) {
            SaslStep right = scram_login(name, kind, entry, "secret");
            EXPECT_EQ(right.kind, SaslStep::Kind::Success) << right.data;
            EXPECT_EQ(right.user, "alice");
            EXPECT_EQ(scram_login(name, kind, entry, "wrong").kind, SaslStep::Kind::Failure);
        }
        EXPECT_EQ(scram_login(name, kind, stored("PLAIN", "secret"), "secret", "y,,").kind, SaslStep::Kind::Success);
        EXPECT_EQ(scram_login(name, kind, stored("PLAIN", "secret"), "secret", "n,a=boss,").authorization, "boss");
        EXPECT_EQ(scram_login(name, kind, stored("PLAIN", "secret"), "secret", "p=tls-unique,,").kind,
                  SaslStep::Kind::Failure);
        EXPECT_EQ(scram_login(name, kind, stored("SHA", "secret"), "secret").kind, SaslStep::Kind::Failure);
        EXPECT_EQ(scram_login(name, kind, stored("PLAIN", "secret"), "secret", "n,,", "a=2Cb=3D").user, "a,b=");
    }
}

TEST(Mechanism, DigestMd5ProvesThePassword) {
    for (const std::string& entry : {stored("PLAIN", "secret"), stored("DIGEST-MD5", "secret")}) {
        for (std::string password : {"secret", "wrong"}) {
            auto mechanism = make("DIGEST-MD5");
            std::string challenge = mechanism->start().data;
            std::string nonce = challenge.substr(challenge.find("nonce=\"") + 7);
            nonce.resize(nonce.find('"'));
            auto md5 = [](const std::string& text) { return schemes::digest(Digest::Md5, text); };
            std::string ha1 = hex_encode(md5(md5("alice::" + password) + ":" + nonce + ":cn"));
            std::string response =
                hex_encode(md5(ha1 + ":" + nonce + ":00000001:cn:auth:" + hex_encode(md5("AUTHENTICATE:imap/host"))));
            SaslStep step =
                mechanism->step("username=\"alice\",realm=\"\",nonce=\"" + nonce +
                                "\",cnonce=\"cn\",nc=00000001,qop=auth,digest-uri=\"imap/host\",response=" + response);
            ASSERT_EQ(step.kind, SaslStep::Kind::NeedCredentials) << step.data;
            EXPECT_EQ(mechanism->with_credentials(entry).kind,
                      password == "secret" ? SaslStep::Kind::Success : SaslStep::Kind::Failure);
        }
    }
}

TEST(Mechanism, ExternalBelievesOnlyAVerifiedCertificateWithAName) {
    AuthRequest request;
    EXPECT_EQ(make("EXTERNAL", request)->step("alice").kind, SaslStep::Kind::Failure);
    request.cert_username = "alice";
    EXPECT_EQ(make("EXTERNAL", request)->step("").kind, SaslStep::Kind::Failure) << "not verified";
    request.valid_client_cert = true;
    EXPECT_EQ(make("EXTERNAL", request)->step("").user, "alice");
    EXPECT_EQ(make("EXTERNAL", request, false)->step("").kind, SaslStep::Kind::Failure)
        << "auth_ssl_username_from_cert = no";
    request.cert_username = "";
    EXPECT_EQ(make("EXTERNAL", request)->step("alice").kind, SaslStep::Kind::Failure) << "a certificate without a name";
}

}  // namespace
}  // namespace culver
