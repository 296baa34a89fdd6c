// The MD5 contexts of CRAM-MD5 are read from the structure, which only OpenSSL's old interface shows.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib-auth/schemes/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>

#include <cstring>

#include "lib-auth/schemes/crypt.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::schemes {

namespace {
const EVP_MD* evp(Digest kind) {
    switch (kind) {
        case Digest::Md4:
        case Digest::Md5: return EVP_md5();
        case Digest::Sha1: return EVP_sha1();
        case Digest::Sha256: return EVP_sha256();
        case Digest::Sha512: return EVP_sha512();
    }
    return nullptr;
}

constexpr std::size_t kSaltSize = 4;

void append_state(std::string& out, const MD5_CTX& context) {
    for (std::uint32_t word : {context.A, context.B, context.C, context.D})
        for (int i = 0; i < 4; ++i) out += static_cast<char>(word >> (8 * i));
}

MD5_CTX load_state(std::string_view bytes) {
    auto word = [&](std::size_t i) {
        std::uint32_t value = 0;
        for (std::size_t k = 0; k < 4; ++k)
            value |= std::uint32_t{static_cast<unsigned char>(bytes[4 * i + k])} << (8 * k);
        return value;
    };
    MD5_CTX context;
    MD5_Init(&context);
    context.A = word(0);
    context.B = word(1);
    context.C = word(2);
    context.D = word(3);
    context.Nl = 64 * 8;  // one block, the padded key, has gone in
    return context;
}
}  // namespace

std::size_t digest_size(Digest kind) { return static_cast<std::size_t>(EVP_MD_get_size(evp(kind))); }

std::string digest(Digest kind, std::string_view bytes) {
    if (kind == Digest::Md4) return md4(bytes);
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), out, &size, evp(kind), nullptr);
    return std::string(reinterpret_cast<char*>(out), size);
}

std::string hmac(Digest kind, std::string_view key, std::string_view message) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ::HMAC(evp(kind), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
           message.size(), out, &size);
    return std::string(reinterpret_cast<char*>(out), size);
}

template <Digest Kind>
Result<bool> verify_digest(const SchemeInput& input, std::string_view raw) {
    return equals_constant_time(digest(Kind, input.password), raw);
}

template <Digest Kind>
Result<std::string> generate_digest(const SchemeInput& input) {
    return digest(Kind, input.password);
}

template <Digest Kind>
Result<bool> verify_salted(const SchemeInput& input, std::string_view raw) {
    std::size_t size = digest_size(Kind);
    constexpr std::string_view name = Kind == Digest::Md5      ? "SMD5"
                                      : Kind == Digest::Sha1   ? "SSHA"
                                      : Kind == Digest::Sha256 ? "SSHA256"
                                                               : "SSHA512";
    if (raw.size() <= size) return fail(ErrorCode::Corrupt, std::string(name) + " password is too short");
    std::string message(input.password);
    message += raw.substr(size);
    bool equal = equals_constant_time(digest(Kind, message), raw.substr(0, size));
    ::explicit_bzero(message.data(), message.size());
    return equal;
}

template <Digest Kind>
Result<std::string> generate_salted(const SchemeInput& input) {
    std::string salt = random_bytes(kSaltSize);
    return digest(Kind, std::string(input.password) + salt) + salt;
}

template Result<bool> verify_digest<Digest::Md4>(const SchemeInput&, std::string_view);
template Result<bool> verify_digest<Digest::Md5>(const SchemeInput&, std::string_view);
template Result<bool> verify_digest<Digest::Sha1>(const SchemeInput&, std::string_view);
template Result<bool> verify_digest<Digest::Sha256>(const SchemeInput&, std::string_view);
template Result<bool> verify_digest<Digest::Sha512>(const SchemeInput&, std::string_view);
template Result<std::string> generate_digest<Digest::Md4>(const SchemeInput&);
template Result<std::string> generate_digest<Digest::Md5>(const SchemeInput&);
template Result<std::string> generate_digest<Digest::Sha1>(const SchemeInput&);
template Result<std::string> generate_digest<Digest::Sha256>(const SchemeInput&);
template Result<std::string> generate_digest<Digest::Sha512>(const SchemeInput&);
template Result<bool> verify_salted<Digest::Md5>(const SchemeInput&, std::string_view);
template Result<bool> verify_salted<Digest::Sha1>(const SchemeInput&, std::string_view);
template Result<bool> verify_salted<Digest::Sha256>(const SchemeInput&, std::string_view);
template Result<bool> verify_salted<Digest::Sha512>(const SchemeInput&, std::string_view);
template Result<std::string> generate_salted<Digest::Md5>(const SchemeInput&);
template Result<std::string> generate_salted<Digest::Sha1>(const SchemeInput&);
template Result<std::string> generate_salted<Digest::Sha256>(const SchemeInput&);
template Result<std::string> generate_salted<Digest::Sha512>(const SchemeInput&);

Result<bool> verify_md5_any(const SchemeInput& input, std::string_view raw) {
    if (raw.starts_with("$1$")) return verify_crypt(input, raw);
    auto bytes = raw.size() == 32 ? hex_decode(raw) : std::nullopt;
    if (!bytes) return fail(ErrorCode::Corrupt, "Not a valid MD5-CRYPT or PLAIN-MD5 password");
    return verify_digest<Digest::Md5>(input, *bytes);
}

std::string cram_md5_states(std::string_view password) {
    std::string key(password);
    if (key.size() > 64) key = digest(Digest::Md5, password);
    key.resize(64);
    std::string out;
    for (unsigned char pad : {0x5c, 0x36}) {
        std::string block = key;
        for (char& c : block) c = static_cast<char>(static_cast<unsigned char>(c) ^ pad);
        MD5_CTX context;
        MD5_Init(&context);
        MD5_Update(&context, block.data(), block.size());
        append_state(out, context);
        ::explicit_bzero(block.data(), block.size());
    }
    ::explicit_bzero(key.data(), key.size());
    return out;
}

std::string cram_md5_response(std::string_view states, std::string_view message) {
    unsigned char inner[MD5_DIGEST_LENGTH], outer[MD5_DIGEST_LENGTH];
    MD5_CTX context = load_state(states.substr(16));
    MD5_Update(&context, message.data(), message.size());
    MD5_Final(inner, &context);
    context = load_state(states.substr(0, 16));
    MD5_Update(&context, inner, sizeof inner);
    MD5_Final(outer, &context);
    return hex_encode({reinterpret_cast<char*>(outer), sizeof outer});
}

Result<bool> verify_cram_md5(const SchemeInput& input, std::string_view raw) {
    return equals_constant_time(cram_md5_states(input.password), raw);
}
Result<std::string> generate_cram_md5(const SchemeInput& input) { return cram_md5_states(input.password); }

Result<std::string> generate_digest_md5(const SchemeInput& input) {
    if (input.user.empty()) return fail(ErrorCode::InvalidArgument, "digest_md5_generate(): username not given");
    std::size_t at = input.user.find('@');
    std::string message(input.user.substr(0, at));
    message += ':';
    if (at != input.user.npos) message += input.user.substr(at + 1);
    message += ':';
    message += input.password;
    std::string out = digest(Digest::Md5, message);
    ::explicit_bzero(message.data(), message.size());
    return out;
}

Result<bool> verify_digest_md5(const SchemeInput& input, std::string_view raw) {
    std::string mine = TRY(generate_digest_md5(input));
    return equals_constant_time(mine, raw);
}

}  // namespace culver::schemes
