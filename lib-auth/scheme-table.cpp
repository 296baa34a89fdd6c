// One row per password scheme. To add one: write its two functions in schemes/, add its row here.
#include "lib-auth/password-scheme.h"
#include "lib-auth/schemes/crypt.h"
#include "lib-base/text.h"

namespace culver {

namespace {
using enum PasswordEncoding;
using enum PasswordCost;

Result<bool> verify_plain(const SchemeInput& input, std::string_view raw) {
    return equals_constant_time(input.password, raw);
}
Result<std::string> generate_plain(const SchemeInput& input) { return std::string(input.password); }

constexpr PasswordScheme kSchemes[] = {
    {"BLF-CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_bcrypt},
    {"PLAIN", None, 0, Cheap, verify_plain, generate_plain},
    {"DES-CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_des_crypt},
    {"CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_bcrypt},
    {"MD5-CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_md5_crypt},
    {"SHA512-CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_sha512_crypt},
    {"CLEAR", None, 0, Cheap, verify_plain, generate_plain},
    {"CLEARTEXT", None, 0, Cheap, verify_plain, generate_plain},
    {"SHA256-CRYPT", None, 0, Expensive, schemes::verify_crypt, schemes::generate_sha256_crypt},
};
}  // namespace

std::span<const PasswordScheme> password_schemes() { return kSchemes; }

}  // namespace culver
