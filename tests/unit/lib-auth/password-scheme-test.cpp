#include "lib-auth/password-scheme.h"

#include <gtest/gtest.h>

#include "tests/unit/lib-auth/password-vectors.h"

namespace culver {
namespace {

bool matches(const std::string& stored, const std::string& password, const std::string& user = "user@example.test") {
    auto decoded = decode_password(stored, "CRYPT");
    if (!decoded) return false;
    auto result = verify_password(*decoded, password, user);
    return result && *result;
}

TEST(PasswordScheme, VerifiesEverythingThatDovecotHasWritten) {
    for (const auto& [password, stored] : password_vectors()) {
        EXPECT_TRUE(matches(stored, password)) << stored;
        EXPECT_FALSE(matches(stored, "wrong")) << stored;
    }
}

TEST(PasswordScheme, VerifiesWhatItGenerates) {
    for (const PasswordScheme& scheme : password_schemes()) {
        if (scheme.name == "PLAIN-TRUNC") continue;  // as in Dovecot, its output lacks the length and never verifies
        for (std::string suffix : {"", ".HEX", ".b64", ".BASE64"}) {
            if (!suffix.empty() && scheme.name.starts_with("ARGON2"))
                continue;  // slow, and the suffix is not the scheme's
            auto stored =
                generate_password(std::string(scheme.name) + suffix, {"p\xc3\xa4ss word", "joe@example.test", {}});
            ASSERT_TRUE(stored) << scheme.name;
            EXPECT_TRUE(matches(*stored, "p\xc3\xa4ss word", "joe@example.test")) << *stored;
            EXPECT_FALSE(matches(*stored, "pass word", "joe@example.test")) << *stored;
        }
    }
}

TEST(PasswordScheme, TakesHexAndBase64WithoutASuffixWhereTheLengthTells) {
    EXPECT_TRUE(matches("{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "secret"));
    EXPECT_TRUE(matches("{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret"));
    EXPECT_TRUE(matches("{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret"));
    EXPECT_TRUE(matches("{sha256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "secret"));
}

TEST(PasswordScheme, HashesTheNameOnlyForDigestMd5) {
    EXPECT_TRUE(matches("{DIGEST-MD5}ead750e2bafca65206dc21b5597824fe", "secret", "foo"));
    EXPECT_TRUE(matches("{DIGEST-MD5}d65f52b42a2605dd84ef29a88bd75e1d", "secret", "foo@bar"));
    auto nameless = generate_password("DIGEST-MD5", {"secret", "", {}});
    ASSERT_FALSE(nameless);
    EXPECT_EQ(nameless.error().detail, "digest_md5_generate(): username not given");
}

TEST(PasswordScheme, CutsPlainTruncWhereItWasCut) {
    struct {
        const char* stored;
        const char* password;
        bool expected;
    } cases[] = {
        {"{PLAIN-TRUNC}6-secret", "secret", true},    {"{PLAIN-TRUNC}6-secret", "secretxx", true},
        {"{PLAIN-TRUNC}6-secre", "secre", true},      {"{PLAIN-TRUNC}6-secre", "secret", false},
        {"{PLAIN-TRUNC}6-secretxx", "secret", false}, {"{PLAIN-TRUNC}secret", "secret", false},
    };
    for (const auto& row : cases)
        EXPECT_EQ(matches(row.stored, row.password), row.expected) << row.stored << row.password;
}

TEST(PasswordScheme, NeverMatchesWhatCannotBeAHash) {
    for (const char* stored : {"",
                               "{CRYPT}",
                               "!secret",
                               "{CRYPT}*",
                               "{CRYPT}!",
                               "*",
                               "x",
                               "{SSHA}YWJj",
                               "{SHA256}bad",
                               "{NOSUCH}secret",
                               "{SCRAM-SHA-1}YWJj",
                               "{PBKDF2}$1$a$0$00",
                               "{PBKDF2}$1$a$99999999999$00",
                               "{ARGON2ID}$argon2id$",
                               "{OTP}x",
                               "{PLAIN.FOO}secret",
                               "{}secret",
                               "{PLAIN",
                               "$6$salt$abc`",
                               "{CRAM-MD5}00"})
        for (const char* password : {"", "secret", "x", "*"}) EXPECT_FALSE(matches(stored, password)) << stored;
}

TEST(PasswordScheme, RefusesANulInAPasswordForCrypt) {
    auto stored = generate_password("SHA512-CRYPT", {"secret", "", {}});
    ASSERT_TRUE(stored);
    EXPECT_FALSE(matches(*stored, std::string("secret\0more", 11)));
}

TEST(PasswordScheme, NamesWhatIsWrongInDovecotsWords) {
    EXPECT_EQ(decode_password("{NOSUCH}x", "CRYPT").error().detail, "Unknown scheme NOSUCH");
    EXPECT_EQ(decode_password("{SHA256}bad", "CRYPT").error().detail, "Input isn't valid base64 encoded data");
    EXPECT_EQ(generate_password("FOO", {"x", "", {}}).error().detail, "Unknown scheme: FOO");
}

TEST(PasswordScheme, KeepsRoundsWithinWhatTheFormatAllows) {
    auto few = generate_password("SHA512-CRYPT", {"x", "", 100});
    ASSERT_TRUE(few);
    EXPECT_TRUE(few->starts_with("{SHA512-CRYPT}$6$rounds=1000$")) << *few;
    auto cheap = generate_password("BLF-CRYPT", {"x", "", 3});
    ASSERT_TRUE(cheap);
    EXPECT_TRUE(cheap->starts_with("{BLF-CRYPT}$2y$04$")) << *cheap;
    EXPECT_FALSE(generate_password("ARGON2I", {"x", "", 1}));
}

}  // namespace
}  // namespace culver
