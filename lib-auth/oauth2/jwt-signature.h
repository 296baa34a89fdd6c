// Whether a signature is by a key (RFC 7518, RFC 8037). The algorithm comes from the token, so it decides nothing but
// which key is asked for: each algorithm takes only keys of its own kind.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

struct evp_pkey_st;

namespace culver {

// HS256/384/512, RS..., PS..., ES..., EDDSA. `none` is no algorithm.
bool is_jwt_algorithm(std::string_view algorithm);

// A key that fits one algorithm. Immutable, may be used by several threads at once.
class JwtKey {
public:
    // `text`: for HS* the secret in base64, otherwise a public key or a certificate in PEM. InvalidArgument: unknown
    // algorithm, no such key, another kind of key (an RSA key for HS256, P-384 for ES256), RSA below 2048 bits.
    static Result<std::shared_ptr<const JwtKey>> load(std::string_view algorithm, std::string_view text);
    ~JwtKey();

    // Whether `signature` (raw, RFC 7515 §5.2) is this key's over these bytes. HMACs are compared in constant time.
    bool verifies(std::string_view signing_input, std::string_view signature) const;

    struct Algorithm;

private:
    JwtKey() = default;
    bool verifies_public(std::string_view signing_input, std::string_view signature) const;

    const Algorithm* algorithm_ = nullptr;
    SecretString secret_;
    evp_pkey_st* public_key_ = nullptr;
};

}  // namespace culver
