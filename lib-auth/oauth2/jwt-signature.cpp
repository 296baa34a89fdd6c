#include "lib-auth/oauth2/jwt-signature.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstring>

#include "lib-base/text.h"

namespace culver {

struct JwtKey::Algorithm {
    enum class Kind { Hmac, RsaPkcs1, RsaPss, Ecdsa, EdDsa };
    std::string_view name;
    Kind kind;
    const EVP_MD* (*digest)();
    std::string_view curve;
    std::size_t half;  // bytes of r and of s in an ECDSA signature
};

namespace {
using Algorithm = JwtKey::Algorithm;
using Kind = JwtKey::Algorithm::Kind;
constexpr Algorithm kAlgorithms[] = {
    {"HS256", Kind::Hmac, EVP_sha256, {}, 0},
    {"HS384", Kind::Hmac, EVP_sha384, {}, 0},
    {"HS512", Kind::Hmac, EVP_sha512, {}, 0},
    {"RS256", Kind::RsaPkcs1, EVP_sha256, {}, 0},
    {"RS384", Kind::RsaPkcs1, EVP_sha384, {}, 0},
    {"RS512", Kind::RsaPkcs1, EVP_sha512, {}, 0},
    {"PS256", Kind::RsaPss, EVP_sha256, {}, 0},
    {"PS384", Kind::RsaPss, EVP_sha384, {}, 0},
    {"PS512", Kind::RsaPss, EVP_sha512, {}, 0},
    {"ES256", Kind::Ecdsa, EVP_sha256, "prime256v1", 32},
    {"ES384", Kind::Ecdsa, EVP_sha384, "secp384r1", 48},
    {"ES512", Kind::Ecdsa, EVP_sha512, "secp521r1", 66},
    {"EDDSA", Kind::EdDsa, EVP_md_null, {}, 0},
};
constexpr int kRsaBits = 2048;  // RFC 7518 §3.3

const Algorithm* find_algorithm(std::string_view name) {
    for (const Algorithm& algorithm : kAlgorithms)
        if (algorithm.name == name) return &algorithm;
    return nullptr;
}

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

EVP_PKEY* read_public_key(std::string_view pem) {
    std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    if (!in) return nullptr;
    if (pem.find("-----BEGIN CERTIFICATE-----") == pem.npos)
        return PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr);
    std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr),
                                                            X509_free);
    return certificate ? X509_get_pubkey(certificate.get()) : nullptr;
}

bool fits(const Algorithm& algorithm, EVP_PKEY* key) {
    int type = EVP_PKEY_get_base_id(key);
    switch (algorithm.kind) {
        case Kind::Hmac: return false;
        case Kind::RsaPkcs1: return type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= kRsaBits;
        case Kind::RsaPss:
            return (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) && EVP_PKEY_get_bits(key) >= kRsaBits;
        case Kind::Ecdsa: {
            char curve[64] = "";
            std::size_t length = 0;
            return type == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, curve, sizeof curve, &length) == 1 &&
                   algorithm.curve == curve;
        }
        case Kind::EdDsa: return type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448;
    }
    return false;
}

// r and s side by side (RFC 7518 §3.4) as the DER that OpenSSL wants; empty if that is not it.
std::string ecdsa_der(std::string_view signature, std::size_t half) {
    if (signature.size() != 2 * half) return {};
    std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(), ECDSA_SIG_free);
    BIGNUM* r = BN_bin2bn(bytes(signature), static_cast<int>(half), nullptr);
    BIGNUM* s = BN_bin2bn(bytes(signature) + half, static_cast<int>(half), nullptr);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    unsigned char* der = nullptr;
    int length = i2d_ECDSA_SIG(pair.get(), &der);
    if (length <= 0) return {};
    std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return out;
}
}  // namespace

bool is_jwt_algorithm(std::string_view algorithm) { return find_algorithm(algorithm) != nullptr; }

JwtKey::~JwtKey() { EVP_PKEY_free(public_key_); }

Result<std::shared_ptr<const JwtKey>> JwtKey::load(std::string_view algorithm, std::string_view text) {
    const Algorithm* known = find_algorithm(algorithm);
    if (!known) return fail(ErrorCode::InvalidArgument, fmt::format("Unsupported algorithm '{}'", algorithm));
    std::shared_ptr<JwtKey> key(new JwtKey);
    key->algorithm_ = known;
    if (known->kind == Kind::Hmac) {
        while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
            text.remove_suffix(1);
        auto secret = base64_decode(text);
        if (!secret || secret->empty()) return fail(ErrorCode::InvalidArgument, "Invalid base64 encoded key");
        key->secret_ = SecretString(*secret);
        ::explicit_bzero(secret->data(), secret->size());
        return key;
    }
    key->public_key_ = read_public_key(text);
    ERR_clear_error();
    if (!key->public_key_) return fail(ErrorCode::InvalidArgument, "Cannot load key: it is no public key in PEM");
    const char* type = EVP_PKEY_get0_type_name(key->public_key_);
    if (!fits(*known, key->public_key_))
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Cannot load key: a key of {}, {} bits, does not fit {}", type ? type : "?",
                                EVP_PKEY_get_bits(key->public_key_), known->name));
    return key;
}

bool JwtKey::verifies(std::string_view signing_input, std::string_view signature) const {
    if (algorithm_->kind != Kind::Hmac) return verifies_public(signing_input, signature);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    std::string_view secret = secret_.reveal();
    if (!HMAC(algorithm_->digest(), secret.data(), static_cast<int>(secret.size()), bytes(signing_input),
              signing_input.size(), mac, &length))
        return false;
    return equals_constant_time({reinterpret_cast<const char*>(mac), length}, signature);
}

bool JwtKey::verifies_public(std::string_view signing_input, std::string_view signature) const {
    std::string der;
    if (algorithm_->kind == Kind::Ecdsa) {
        der = ecdsa_der(signature, algorithm_->half);
        if (der.empty()) return false;
        signature = der;
    }
    // As long as the modulus (RFC 8017 §8.1.2, §8.2.2): OpenSSL takes PSS without its leading zeroes, too.
    const bool is_rsa = algorithm_->kind == Kind::RsaPkcs1 || algorithm_->kind == Kind::RsaPss;
    if (is_rsa && signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(public_key_))) return false;
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_PKEY_CTX* parameters = nullptr;  // belongs to the context
    const EVP_MD* digest = algorithm_->kind == Kind::EdDsa ? nullptr : algorithm_->digest();
    bool ready = context && EVP_DigestVerifyInit(context.get(), &parameters, digest, nullptr, public_key_) == 1;
    if (ready && algorithm_->kind == Kind::RsaPss)
        ready = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    bool good = ready && EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signing_input),
                                          signing_input.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace culver
