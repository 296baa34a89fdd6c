// Password schemes: how a stored password such as "{SHA512-CRYPT}$6$..." is read, compared and made.
//
// A scheme is a row of two pure functions in scheme-table.cpp. All functions are thread-safe. docs/password-schemes.md
// names each scheme with its format.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

// What a scheme may look at besides the password: DIGEST-MD5 hashes the name too.
struct SchemeInput {
    std::string_view password;
    std::string_view user;
    std::optional<std::uint64_t> rounds;  // for generate; already bounded by the caller's option parser
};

enum class PasswordEncoding { None, Hex, Base64 };
enum class PasswordCost { Cheap, Expensive };  // Expensive: more than some 50 microseconds, keep off an event loop

struct PasswordScheme {
    std::string_view name;  // upper case
    PasswordEncoding encoding = PasswordEncoding::None;
    std::size_t raw_length = 0;  // bytes after decoding; 0 = any
    PasswordCost cost = PasswordCost::Cheap;
    // Is `raw` (decoded) a hash of the password? An Error for a hash that cannot be read.
    Result<bool> (*verify)(const SchemeInput& input, std::string_view raw) = nullptr;
    // A new raw hash with fresh salt.
    Result<std::string> (*generate)(const SchemeInput& input) = nullptr;
};

// Every scheme, in the order of `doveadm pw -l`. Static storage.
std::span<const PasswordScheme> password_schemes();
// By name without suffix, any case; null if unknown.
const PasswordScheme* find_password_scheme(std::string_view name);

struct StoredPassword {
    const PasswordScheme* scheme = nullptr;
    SecretString raw;
};

// "{SCHEME[.ENCODING]}data" or bare data of `default_scheme`. Errors: Unsupported "Unknown scheme NAME",
// Corrupt "Input isn't valid base64 encoded data".
Result<StoredPassword> decode_password(std::string_view text, std::string_view default_scheme);
// Only the scheme of such a text; null if it is unknown.
const PasswordScheme* scheme_of_password(std::string_view text, std::string_view default_scheme);
// Splits "{SCHEME.B64}data" into "SCHEME.B64" and "data"; an empty scheme if there is no prefix.
std::pair<std::string_view, std::string_view> split_password(std::string_view text);

// Constant time in the password. Errors as the scheme's verify.
Result<bool> verify_password(const StoredPassword& stored, std::string_view password, std::string_view user);

// "{SCHEME}encoded" for a scheme name with optional suffix; the name appears in upper case.
Result<std::string> generate_password(std::string_view scheme_name, const SchemeInput& input);

}  // namespace culver
