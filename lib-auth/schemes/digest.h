// Plain and salted digests: MD4, MD5, SHA-1, SHA-256, SHA-512, and what mechanisms of the past store.
#pragma once

#include <string>
#include <string_view>

#include "lib-auth/password-scheme.h"

namespace culver::schemes {

enum class Digest { Md4, Md5, Sha1, Sha256, Sha512 };
// Raw bytes; HMAC is RFC 2104.
std::string digest(Digest kind, std::string_view bytes);
std::string hmac(Digest kind, std::string_view key, std::string_view message);
std::size_t digest_size(Digest kind);

// RFC 1320; OpenSSL 3 has MD4 only in its legacy provider.
std::string md4(std::string_view bytes);

// digest(password)
template <Digest Kind>
Result<bool> verify_digest(const SchemeInput& input, std::string_view raw);
template <Digest Kind>
Result<std::string> generate_digest(const SchemeInput& input);
// digest(password + salt) + salt
template <Digest Kind>
Result<bool> verify_salted(const SchemeInput& input, std::string_view raw);
template <Digest Kind>
Result<std::string> generate_salted(const SchemeInput& input);

// {MD5}: "$1$..." of crypt(3), or 32 hex digits of plain MD5.
Result<bool> verify_md5_any(const SchemeInput& input, std::string_view raw);

// {CRAM-MD5}: the two MD5 states after the padded key of HMAC (outer, inner), 32 bytes (RFC 2195).
std::string cram_md5_states(std::string_view password);
// HMAC-MD5 of `message`, hex, by such states.
std::string cram_md5_response(std::string_view states, std::string_view message);
Result<bool> verify_cram_md5(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_cram_md5(const SchemeInput& input);

// {DIGEST-MD5}: md5(user:realm:password), where user@realm is split at the first @ (RFC 2831).
Result<bool> verify_digest_md5(const SchemeInput& input, std::string_view raw);
Result<std::string> generate_digest_md5(const SchemeInput& input);

}  // namespace culver::schemes
