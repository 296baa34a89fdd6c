// Schemes that are slow on purpose or belong to a mechanism: PBKDF2, ARGON2, SCRAM, OTP, PLAIN-TRUNC.
#pragma once

#include "lib-auth/schemes/digest.h"

namespace culver::schemes {

// $1$salt$rounds$40 hex digits, HMAC-SHA1
Result<bool> verify_pbkdf2(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_pbkdf2(const SchemeInput& input);

// The string of the reference implementation, "$argon2id$v=19$m=...,t=...,p=...$salt$hash" (RFC 9106).
Result<bool> verify_argon2(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_argon2i(const SchemeInput& input);
Result<std::string> generate_argon2id(const SchemeInput& input);

// What a server keeps for SCRAM (RFC 5802 §3): "iterations,salt,StoredKey,ServerKey", each key in base64.
struct ScramKeys {
    std::uint32_t iterations = 4096;
    std::string salt, stored_key, server_key;
};
Result<ScramKeys> parse_scram_keys(Digest kind, std::string_view text);
ScramKeys make_scram_keys(Digest kind, std::string_view password, std::string_view salt, std::uint32_t iterations);
template <Digest Kind>
Result<bool> verify_scram(const SchemeInput& input, std::string_view raw);
template <Digest Kind>
Result<std::string> generate_scram(const SchemeInput& input);

// "algorithm sequence seed hex" (RFC 2289)
Result<bool> verify_otp(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_otp(const SchemeInput& input);

// "N-text": what was longer than N bytes was cut there when it was stored.
Result<bool> verify_plain_trunc(const SchemeInput& input, std::string_view raw);

}  // namespace culver::schemes
