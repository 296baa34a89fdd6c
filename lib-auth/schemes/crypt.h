// The schemes of crypt(3): everything that the machine's libcrypt knows.
#pragma once

#include "lib-auth/password-scheme.h"

namespace culver::schemes {

// Any setting that crypt(3) knows. Corrupt: one that it does not.
Result<bool> verify_crypt(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_bcrypt(const SchemeInput& input);        // BLF-CRYPT, CRYPT
Result<std::string> generate_des_crypt(const SchemeInput& input);     // DES-CRYPT
Result<std::string> generate_md5_crypt(const SchemeInput& input);     // MD5-CRYPT, MD5
Result<std::string> generate_sha256_crypt(const SchemeInput& input);  // SHA256-CRYPT
Result<std::string> generate_sha512_crypt(const SchemeInput& input);  // SHA512-CRYPT

}  // namespace culver::schemes
