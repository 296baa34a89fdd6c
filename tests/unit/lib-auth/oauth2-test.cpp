// Tokens, the messages that carry them, and what web services answer about them.
#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib-auth/auth-policy.h"
#include "lib-auth/http/http-client.h"
#include "lib-auth/http/json.h"
#include "lib-auth/mechanisms/bearer-message.h"
#include "lib-auth/oauth2/jwt-signature.h"
#include "lib-auth/oauth2/jwt.h"
#include "lib-auth/oauth2/oauth2-config.h"
#include "lib-base/text.h"

namespace culver {
namespace {

using Duplicates = JsonObject::Duplicates;
using PKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

std::string base64url(std::string_view bytes) {
    std::string out = base64_encode(bytes);
    while (out.ends_with('=')) out.pop_back();
    for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

// A key pair, or a secret, and what it signs.
struct Signer {
    std::string algorithm, secret;
    PKey pair{nullptr, EVP_PKEY_free};

    explicit Signer(std::string name, int bits = 2048) : algorithm(std::move(name)) {
        std::string kind = algorithm.substr(0, 2);
        if (kind == "HS") secret = "not so secret";
        else if (kind == "RS" || kind == "PS") pair.reset(EVP_RSA_gen(static_cast<unsigned>(bits)));
        else if (kind == "ES")
            pair.reset(EVP_EC_gen(algorithm == "ES256" ? "P-256" : algorithm == "ES384" ? "P-384" : "P-521"));
        else pair.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    }
    const EVP_MD* digest() const {
        if (algorithm == "EDDSA") return nullptr;
        return algorithm.ends_with("256") ? EVP_sha256() : algorithm.ends_with("384") ? EVP_sha384() : EVP_sha512();
    }
    // As a key file holds it.
    std::string file() const {
        if (!pair) return base64_encode(secret);
        std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_PUBKEY(out.get(), pair.get());
        char* text = nullptr;
        long length = BIO_get_mem_data(out.get(), &text);
        return {text, static_cast<std::size_t>(length)};
    }
    std::string sign(const std::string& text) const {
        unsigned char bytes[1024];
        std::size_t length = sizeof bytes;
        auto in = reinterpret_cast<const unsigned char*>(text.data());
        if (!pair) {
            unsigned size = 0;
            HMAC(digest(), secret.data(), static_cast<int>(secret.size()), in, text.size(), bytes, &size);
            return {reinterpret_cast<char*>(bytes), size};
        }
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        EVP_PKEY_CTX* parameters = nullptr;
        EVP_DigestSignInit(context.get(), &parameters, digest(), nullptr, pair.get());
        if (algorithm.starts_with("PS")) {
            EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
        }
        EXPECT_EQ(EVP_DigestSign(context.get(), bytes, &length, in, text.size()), 1);
        if (!algorithm.starts_with("ES")) return {reinterpret_cast<char*>(bytes), length};
        const unsigned char* der = bytes;
        std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(
            d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(length)), ECDSA_SIG_free);
        int half = algorithm == "ES256" ? 32 : algorithm == "ES384" ? 48 : 66;
        std::string raw(static_cast<std::size_t>(2 * half), '\0');
        BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), reinterpret_cast<unsigned char*>(raw.data()), half);
        BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), reinterpret_cast<unsigned char*>(raw.data()) + half, half);
        return raw;
    }
    std::string token(std::string_view claims, std::string_view header = {}) const {
        std::string head = header.empty() ? "{\"typ\":\"JWT\",\"alg\":\"" + algorithm + "\"}" : std::string(header);
        std::string text = base64url(head) + '.' + base64url(claims);
        return text + '.' + base64url(sign(text));
    }
};

constexpr std::string_view kAlgorithms[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
                                            "PS384", "PS512", "ES256", "ES384", "ES512", "EDDSA"};
constexpr std::int64_t kNow = 1'700'000'000;

TEST(Jwt, EveryAlgorithmVerifiesItsOwnSignaturesAndNoOthers) {
    for (std::string_view name : kAlgorithms) {
        Signer signer{std::string(name)}, stranger{std::string(name)};
        if (!stranger.pair) stranger.secret = "another";
        auto key = JwtKey::load(name, signer.file());
        ASSERT_TRUE(key) << name << ' ' << key.error().detail;
        auto token = parse_jwt(signer.token(R"({"sub":"a"})"));
        ASSERT_TRUE(token) << name;
        EXPECT_TRUE((*key)->verifies(token->signing_input, token->signature)) << name;
        EXPECT_FALSE((*key)->verifies(token->signing_input + "x", token->signature)) << name;
        EXPECT_FALSE((*key)->verifies(token->signing_input, {})) << name;
        EXPECT_FALSE((*key)->verifies(token->signing_input, token->signature + '\0')) << name;
        EXPECT_FALSE((*key)->verifies(token->signing_input, token->signature.substr(1))) << name;
        EXPECT_FALSE((*key)->verifies(token->signing_input, std::string(token->signature.size(), '\0'))) << name;
        auto forged = parse_jwt(stranger.token(R"({"sub":"a"})"));
        EXPECT_FALSE((*key)->verifies(forged->signing_input, forged->signature)) << name;
    }
}

TEST(Jwt, ASignatureWithoutItsLeadingZeroIsNone) {
    Signer signer{"PS256"};
    auto key = JwtKey::load("PS256", signer.file());
    ASSERT_TRUE(key);
    // Signatures of PSS differ each time; one of 256 begins with a zero.
    for (int i = 0; i < 5000; ++i) {
        auto token = parse_jwt(signer.token(R"({"sub":"a"})"));
        if (token->signature[0] != '\0') continue;
        EXPECT_TRUE((*key)->verifies(token->signing_input, token->signature));
        EXPECT_FALSE((*key)->verifies(token->signing_input, token->signature.substr(1)));
        return;
    }
}

TEST(Jwt, AnAlgorithmTakesOnlyKeysOfItsKind) {
    for (std::string_view holder : {"RS256", "ES256", "ES384", "EDDSA", "HS256"}) {
        std::string file = Signer{std::string(holder)}.file();
        for (std::string_view name : kAlgorithms) {
            std::string_view family = holder.substr(0, 2);
            bool fits = family == "RS"   ? name.starts_with("RS") || name.starts_with("PS")
                        : family == "HS" ? name.starts_with("HS")
                                         : name == holder;
            EXPECT_EQ(JwtKey::load(name, file).has_value(), fits) << holder << " for " << name;
        }
    }
    for (std::string_view none : {"none", "NONE", "", "HS1", "RS256 ", "hs256"}) {
        EXPECT_FALSE(is_jwt_algorithm(none));
        EXPECT_FALSE(JwtKey::load(none, "c2VjcmV0"));
    }
    EXPECT_FALSE(JwtKey::load("RS256", Signer("RS256", 1024).file()));
    EXPECT_FALSE(JwtKey::load("HS256", ""));
    EXPECT_FALSE(JwtKey::load("HS256", "no base64!"));
    EXPECT_TRUE(JwtKey::load("HS256", "c2VjcmV0\n"));
    EXPECT_FALSE(JwtKey::load("RS256", "-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----\n"));
}

TEST(Jwt, TokensOfAnotherShapeAreNone) {
    Signer signer("HS256");
    std::string good = signer.token(R"({"sub":"a"})");
    EXPECT_TRUE(parse_jwt(good));
    for (const std::string& bad :
         {std::string(), std::string("a"), std::string("a.b.c"), std::string(".."), good + '.', '.' + good, good + "!",
          good.substr(0, good.rfind('.')), signer.token("[]"), signer.token("{"), signer.token(R"({"a":1,"a":1})"),
          signer.token("{}", R"({"alg":"HS256"})"), signer.token("{}", R"({"typ":"JWT"})"),
          signer.token("{}", R"({"typ":"JWT","alg":5})"), signer.token("{}", R"({"typ":"JWT","alg":"HS256","kid":""})"),
          signer.token("{}", R"({"typ":"JWT","alg":"HS256","crit":["x"]})"),
          signer.token("{}", R"({"typ":"JWT","alg":"HS256","alg":"none"})"),
          signer.token("{\"x\":\"" + std::string(8000, 'y') + "\"}")})
        EXPECT_FALSE(parse_jwt(bad)) << bad.substr(0, 100);
}

TEST(Jwt, EachClaimIsJudgedByItself) {
    Signer signer("HS256");
    JwtRules rules{{"https://a", "https://b"}, "client", {"mail", "imap"}, "mail imap"};
    auto problem = [&](std::string_view claims) {
        auto token = parse_jwt(signer.token(claims));
        return token ? find_claim_problem(*token, rules, kNow).value_or("") : "unparsed";
    };
    const std::string rest = R"("iss":"https://b","aud":["x","client"],"scope":"imap x mail")";
    EXPECT_EQ(problem(R"({"sub":"a","exp":1700000000,"nbf":1700000060,"iat":1700000060,)" + rest + '}'), "");
    for (auto [claims, words] : std::initializer_list<std::pair<std::string, std::string>>{
             {R"({"exp":1700000000,)" + rest + '}', "Missing 'sub' field"},
             {R"({"sub":"a",)" + rest + '}', "Missing 'exp' field"},
             {R"({"sub":"a","exp":"soon",)" + rest + '}', "Malformed 'exp' field"},
             {R"({"sub":"a","exp":-1,)" + rest + '}', "Malformed 'exp' field"},
             {R"({"sub":"a","exp":1e99,)" + rest + '}', "Malformed 'exp' field"},
             {R"({"sub":"a","exp":true,)" + rest + '}', "Malformed 'exp' field"},
             {R"({"sub":"a","exp":99999999999999999999,)" + rest + '}', "Malformed 'exp' field"},
             {R"({"sub":"a","exp":1699999999,)" + rest + '}', "Token has expired"},
             {R"({"sub":"a","exp":1700009999,"nbf":1700000061,)" + rest + '}', "Token is not valid yet"},
             {R"({"sub":"a","exp":1700009999,"iat":1700000061,)" + rest + '}', "Token is issued in future"},
             {R"({"sub":"a","exp":1700009999,"aud":"client","scope":"mail imap"})", "Token is missing 'iss' field"},
             {R"({"sub":"a","exp":1700009999,"iss":"https://c","aud":"client","scope":"mail imap"})",
              "Issuer 'https://c' is not allowed"},
             {R"({"sub":"a","exp":1700009999,"iss":"https://a","scope":"mail imap client"})",
              "client_id set but aud is missing"},
             {R"({"sub":"a","exp":1700009999,"iss":"https://a","aud":"client2","scope":"mail imap"})",
              "client_id not found in aud field"},
             {R"({"sub":"a","exp":1700009999,"iss":"https://a","aud":"client"})", "scope set but not found in token"},
             {R"({"sub":"a","exp":1700009999,"iss":"https://a","aud":"client","scope":"mail"})",
              "configured scope 'mail imap' missing from token scope 'mail'"}})
        EXPECT_EQ(problem(claims), words) << claims;
}

TEST(Jwt, NamesInATokenAreNoPaths) {
    EXPECT_EQ(path_component_of("https://id.test/a%b"), "https:%2f%2fid.test%2fa%25b");
    EXPECT_EQ(path_component_of("issuer.net-dovecot_1"), "issuer.net-dovecot_1");
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string("../x"), std::string("a\0b", 3),
          std::string("a\nb"), std::string(256, 'x'), std::string(100, '/')})
        EXPECT_FALSE(path_component_of(bad)) << bad;
}

TEST(Json, MembersOfOneObject) {
    auto object = JsonObject::parse(
        R"({"s":"\u00e9\"","n":5,"f":-1.5,"b":true,"z":null,"l":["a",2,{"x":1},[3]],"o":{"s":"inner"},"t":"last"})",
        Duplicates::Refused);
    ASSERT_TRUE(object) << object.error().detail;
    EXPECT_EQ(object->string("s"), "\xc3\xa9\"");
    EXPECT_EQ(object->find("n")->text, "5");
    EXPECT_EQ(object->find("f")->text, "-1.5");
    EXPECT_EQ(object->find("b")->text, "true");
    EXPECT_EQ(object->find("z")->kind, JsonMember::Kind::Null);
    EXPECT_EQ(object->find("l")->text, "a 2");
    EXPECT_EQ(object->find("l")->items.size(), 2u);
    EXPECT_EQ(object->find("o")->kind, JsonMember::Kind::Object);
    EXPECT_EQ(object->string("t"), "last");
    EXPECT_EQ(object->find("inner"), nullptr);
    EXPECT_EQ(object->members().size(), 8u);
}

TEST(Json, WhatIsNotItIsRefusedWhateverItsSize) {
    std::string many = "{";
    for (int i = 0; i < 300; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":1";
    for (const std::string& bad :
         {std::string(), std::string("x"), std::string("[]"), std::string("5"), std::string("\"x\""), std::string("{"),
          std::string("{} x"), std::string(R"({"a":"\u0000"})"), std::string(R"({"a\u0000":1})"),
          std::string("{\"a\":\"\xff\"}"), std::string(R"({"a":"\ud800"})"), std::string(100000, '['), many + '}',
          std::string(20, ' ').replace(0, 0, "{\"a\":" + std::string(16, '[')) + std::string(16, ']') + '}',
          "{\"a\":\"" + std::string(70000, 'x') + "\"}"})
        EXPECT_FALSE(JsonObject::parse(bad, Duplicates::LastWins)) << bad.substr(0, 40);
    EXPECT_EQ(JsonObject::parse(R"({"a":1,"b":2,"a":3})", Duplicates::LastWins)->find("a")->text, "3");
    EXPECT_FALSE(JsonObject::parse(R"({"a":1,"b":2,"a":3})", Duplicates::Refused));
    EXPECT_EQ(json_quote("a\"\\\n\x01\x7f\xc3\xa9\xff"), "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\"");
}

TEST(Bearer, MessagesOfBothMechanisms) {
    using namespace mechanisms;
    auto x = parse_xoauth2("user=al@x\1auth=bearer t=\1\1");
    EXPECT_EQ(x.problem + '|' + x.user + '|' + x.token, "|al@x|t=");
    auto o = parse_oauthbearer("n,a=al=2C=3D,\1host=h\1auth=Bearer t\1\1");
    EXPECT_EQ(o.problem + '|' + o.user + '|' + o.token, "|al,=|t");
    for (std::string_view bad : {"", "\1", "user=a\1\1", "auth=Bearer t\1\1", "user=a\1auth=Basic t\1\1",
                                 "user=a\1auth=Bearer \1\1", "user=a\1auth=Bearer a\nb\1\1"})
        EXPECT_FALSE(parse_xoauth2(bad).problem.empty()) << bad;
    for (std::string_view bad :
         {"", "\1", "n,a=a,\1\1", "n,,\1auth=Bearer t\1\1", "p=tls-unique,a=a,\1auth=Bearer t\1\1",
          "n,a=a=2c,\1auth=Bearer t\1\1", "n,a=a=\1auth=Bearer t\1\1", "x,a=a,\1auth=Bearer t\1\1",
          "n,a=a,\1auth=Bearer a\tb\1\1"})
        EXPECT_FALSE(parse_oauthbearer(bad).problem.empty()) << bad;
}

TEST(OAuth2Config, SettingsAndWhatCannotWork) {
    auto config = parse_oauth2_config(
        "introspection_url = \"https://u:p@x.test/i\" # here\nintrospection_mode = post\n"
        "scope = a b\npass_attrs = x=%u y\ntimeout_msecs = 500\nclient_secret = s=1\n",
        "file");
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->introspection_url, "https://u:p@x.test/i");
    EXPECT_EQ(config->scope.size(), 2u);
    EXPECT_EQ(config->pass_attrs.size(), 2u);
    EXPECT_EQ(config->timeout.count(), 500);
    EXPECT_EQ(config->client_secret.reveal(), "s=1");
    for (std::string_view bad :
         {"", "introspection_url = ftp://x/", "introspection_url = x", "introspection_url = http://x/\nfoo = bar",
          "introspection_url = http://x/\nintrospection_mode = x", "introspection_mode = local",
          "grant_url = http://x/", "grant_url = http://x/\nclient_id = x",
          "introspection_url = http://x/\nuse_grant_password = yes",
          "introspection_url = http://x/\nactive_value = true", "introspection_url = http://x/\nusername_attribute =",
          "introspection_mode = local\nlocal_validation_key_dict = file:/x",
          "introspection_url = http://x/\nuse_grant_password = x", "introspection_url = http://x/\ntls_cert_file = /x",
          "introspection_url = http://x/\ntimeout_msecs = x"})
        EXPECT_FALSE(parse_oauth2_config(bad, "file")) << bad;
    EXPECT_EQ(
        parse_oauth2_config("introspection_url = ftp://x/\ndebug = true\ntls_key_file = /k\n", "f").error().detail,
        "f:2: Invalid boolean: true (write debug = yes or no); f:3: tls_cert_file and tls_key_file belong "
        "together; f:1: Invalid introspection_url: " +
            check_http_url("ftp://x/").error().detail)
        << "every mistake at once";
}

TEST(HttpClient, UrlsAndWhatMayBeLogged) {
    EXPECT_TRUE(check_http_url("https://x.test:8443/a?b=c"));
    for (std::string_view bad :
         {"", "x", "ftp://x/", "file:///etc/passwd", "http://", "http://a b/", "http://x/\r\nEvil: y"})
        EXPECT_FALSE(check_http_url(bad)) << bad;
    EXPECT_TRUE(url_has_credentials("https://u:p@x.test/"));
    EXPECT_FALSE(url_has_credentials("https://x.test/u:p@"));
    EXPECT_EQ(url_for_log("https://u:p@x.test:1/a?token=secret"), "https://x.test:1/a");
    EXPECT_EQ(percent_encode("a b&=+%/@~\xc3\xa9\n"), "a%20b%26%3d%2b%25%2f@~%c3%a9%0a");
}

AuthPolicySettings policy_settings() {
    AuthPolicySettings settings;
    settings.server_url = "http://127.0.0.1:1/";
    settings.hash_nonce = "nonce";
    settings.request_attributes =
        "login=%{requested_username} pwhash=%{hashed_password} a/b/c=1 a/b/d=%{rip} a/e=x b=\"";
    return settings;
}

TEST(AuthPolicy, RequestsAreNestedQuotedAndSorted) {
    auto policy = AuthPolicy::create(policy_settings());
    ASSERT_TRUE(policy) << policy.error().detail;
    AuthRequest request;
    request.user = request.translated_user = "alice";
    request.remote_ip = "1.2.3.4\xff";
    request.password = SecretString("secret");
    std::string json = *(*policy)->describe(request, nullptr);
    EXPECT_EQ(
        json,
        "{\"a\":{\"b\":{\"c\":\"1\",\"d\":\"1.2.3.4\xef\xbf\xbd\"},\"e\":\"x\"},\"b\":\"\\\"\",\"login\":\"alice\","
        "\"pwhash\":\"0d52\",\"tls\":false}");
    AuthPolicy::Outcome outcome{false, true};
    EXPECT_TRUE(
        (*policy)->describe(request, &outcome)->ends_with("\"success\":false,\"policy_reject\":true,\"tls\":false}"));
}

TEST(AuthPolicy, HashesAreCutToBits) {
    AuthPolicySettings settings = policy_settings();
    for (auto [mech, bits, hash] : std::initializer_list<std::tuple<const char*, unsigned, const char*>>{
             {"sha256", 12, "0d52"},
             {"sha256", 0, "d525ffa945844a81c8787545b30c7ce6b396cf0ccae99a8b6a06f9b880986186"},
             {"sha1", 17, "0108af"},
             {"md5", 8, "ba"},
             {"sha512", 1, "00"}}) {
        settings.hash_mech = mech;
        settings.hash_truncate = bits;
        EXPECT_EQ(AuthPolicy::hash_password(settings, "alice", "secret"), hash) << mech << ' ' << bits;
    }
    settings.hash_truncate = 512;
    EXPECT_FALSE(AuthPolicy::create(settings));
    settings.hash_nonce.clear();
    EXPECT_FALSE(AuthPolicy::create(settings));
    settings.server_url.clear();
    EXPECT_EQ(AuthPolicy::create(settings)->get(), nullptr);
}

TEST(AuthPolicy, AnswersAreReadOrTheSettingDecides) {
    using Action = PolicyDecision::Action;
    std::string problem;
    EXPECT_EQ(AuthPolicy::read_answer(R"({"status":0})", true, problem).action, Action::Continue);
    EXPECT_EQ(AuthPolicy::read_answer(R"({"status":-1,"msg":"no"})", false, problem).message, "no");
    EXPECT_EQ(AuthPolicy::read_answer(R"({"status":7})", false, problem).tarpit.count(), 7);
    EXPECT_LE(AuthPolicy::read_answer(R"({"status":2000000000})", false, problem).tarpit.count(), 150);
    EXPECT_EQ(problem, "");
    for (std::string_view bad :
         {"", "x", "[]", R"({"status":"-1"})", R"({"status":1.5})", R"({"status":3000000000})"}) {
        problem.clear();
        EXPECT_EQ(AuthPolicy::read_answer(bad, false, problem).action, Action::Continue) << bad;
        EXPECT_EQ(AuthPolicy::read_answer(bad, true, problem).action, Action::Reject) << bad;
        EXPECT_NE(problem, "") << bad;
    }
}

}  // namespace
}  // namespace culver
