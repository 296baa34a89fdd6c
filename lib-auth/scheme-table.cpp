// One row per password scheme, in the order of `doveadm pw -l`. To add one: write its two functions in schemes/, add
// its row here.
#include "lib-auth/password-scheme.h"
#include "lib-auth/schemes/crypt.h"
#include "lib-auth/schemes/derived.h"
#include "lib-auth/schemes/digest.h"
#include "lib-base/text.h"

namespace culver {

namespace {
using namespace schemes;
using enum PasswordEncoding;
using enum PasswordCost;
using enum schemes::Digest;

Result<bool> verify_plain(const SchemeInput& input, std::string_view raw) {
    return equals_constant_time(input.password, raw);
}
Result<std::string> generate_plain(const SchemeInput& input) { return std::string(input.password); }

constexpr PasswordScheme kSchemes[] = {
    {"SHA1", Base64, 20, Cheap, verify_digest<Sha1>, generate_digest<Sha1>},
    {"SSHA512", Base64, 0, Cheap, verify_salted<Sha512>, generate_salted<Sha512>},
    {"SCRAM-SHA-256", None, 0, Expensive, verify_scram<Sha256>, generate_scram<Sha256>},
    {"BLF-CRYPT", None, 0, Expensive, verify_crypt, generate_bcrypt},
    {"PLAIN", None, 0, Cheap, verify_plain, generate_plain},
    {"HMAC-MD5", Hex, 32, Cheap, verify_cram_md5, generate_cram_md5},
    {"OTP", None, 0, Expensive, verify_otp, generate_otp},
    {"SHA512", Base64, 64, Cheap, verify_digest<Sha512>, generate_digest<Sha512>},
    {"SHA", Base64, 20, Cheap, verify_digest<Sha1>, generate_digest<Sha1>},
    {"DES-CRYPT", None, 0, Expensive, verify_crypt, generate_des_crypt},
    {"CRYPT", None, 0, Expensive, verify_crypt, generate_bcrypt},
    {"SSHA", Base64, 0, Cheap, verify_salted<Sha1>, generate_salted<Sha1>},
    {"MD5-CRYPT", None, 0, Expensive, verify_crypt, generate_md5_crypt},
    {"PLAIN-MD4", Hex, 16, Cheap, verify_digest<Md4>, generate_digest<Md4>},
    {"PLAIN-MD5", Hex, 16, Cheap, verify_digest<Md5>, generate_digest<Md5>},
    {"SCRAM-SHA-1", None, 0, Expensive, verify_scram<Sha1>, generate_scram<Sha1>},
    {"SHA512-CRYPT", None, 0, Expensive, verify_crypt, generate_sha512_crypt},
    {"CLEAR", None, 0, Cheap, verify_plain, generate_plain},
    {"CLEARTEXT", None, 0, Cheap, verify_plain, generate_plain},
    {"ARGON2I", None, 0, Expensive, verify_argon2, generate_argon2i},
    {"ARGON2ID", None, 0, Expensive, verify_argon2, generate_argon2id},
    {"SSHA256", Base64, 0, Cheap, verify_salted<Sha256>, generate_salted<Sha256>},
    {"MD5", None, 0, Expensive, verify_md5_any, generate_md5_crypt},
    {"PBKDF2", None, 0, Expensive, verify_pbkdf2, generate_pbkdf2},
    {"SHA256", Base64, 32, Cheap, verify_digest<Sha256>, generate_digest<Sha256>},
    {"CRAM-MD5", Hex, 32, Cheap, verify_cram_md5, generate_cram_md5},
    {"PLAIN-TRUNC", None, 0, Cheap, verify_plain_trunc, generate_plain},
    {"SHA256-CRYPT", None, 0, Expensive, verify_crypt, generate_sha256_crypt},
    {"SMD5", Base64, 0, Cheap, verify_salted<Md5>, generate_salted<Md5>},
    {"DIGEST-MD5", Hex, 16, Cheap, verify_digest_md5, generate_digest_md5},
    {"LDAP-MD5", Base64, 16, Cheap, verify_digest<Md5>, generate_digest<Md5>},
};
}  // namespace

std::span<const PasswordScheme> password_schemes() { return kSchemes; }

}  // namespace culver
