// Jwt: a signed JSON Web Token (RFC 7519, RFC 7515 compact form) taken apart, and the rules for its claims. Nothing in
// here is trusted before verify_jwt_signature (jwt-signature.h) has said yes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/http/json.h"
#include "lib-base/result.h"

namespace culver {

struct Jwt {
    std::string algorithm;  // upper case
    std::string key_id;     // "default" if the token names none
    std::string party;      // azp, or "default"
    JsonObject claims;
    std::string signing_input, signature;
};

constexpr std::size_t kTokenLimit = 8192;

// Corrupt, with Dovecot's words for the log: not three parts, no typ JWT, no alg, no JSON, a member twice ...
Result<Jwt> parse_jwt(std::string_view token);

struct JwtRules {
    std::vector<std::string> issuers;  // none: any
    std::string audience;              // must be in aud; empty: not looked at (client_id of the configuration)
    std::vector<std::string> scope;    // each must be in scope
    std::string scope_text;            // for the log
};
// Tokens of a clock that is ahead by this much are taken (nbf, iat); exp counts to the second.
constexpr std::int64_t kClockSkewSeconds = 60;

// What is wrong with the claims at that time (seconds since 1970), for the log; nothing if all of them hold.
std::optional<std::string> find_claim_problem(const Jwt& token, const JwtRules& rules, std::int64_t now);

// A name out of a token as one component of a path: '/' and '%' as %2f and %25. Nothing if it cannot be one: empty,
// over 255 bytes, a leading dot, a control byte.
std::optional<std::string> path_component_of(std::string_view identifier);

}  // namespace culver
