#include "lib-auth/schemes/derived.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::schemes {

namespace {
constexpr std::uint32_t kPbkdf2Limit = 10'000'000, kScramLimit = 1'000'000;
constexpr std::string_view kSaltCharacters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const EVP_MD* evp(Digest kind) { return kind == Digest::Sha256 ? EVP_sha256() : EVP_sha1(); }

std::string pbkdf2(Digest kind, std::string_view password, std::string_view salt, std::uint32_t rounds) {
    std::string out(digest_size(kind), '\0');
    ::PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                        reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                        static_cast<int>(rounds), evp(kind), static_cast<int>(out.size()),
                        reinterpret_cast<unsigned char*>(out.data()));
    return out;
}
}  // namespace

Result<bool> verify_pbkdf2(const SchemeInput& input, std::string_view raw) {
    auto fields = split(raw, '$');
    auto rounds = fields.size() == 5 && fields[0].empty() && fields[1] == "1" ? parse_uint32(fields[3]) : std::nullopt;
    auto hash = rounds ? hex_decode(fields[4]) : std::nullopt;
    if (!hash || hash->size() != 20 || *rounds == 0 || *rounds > kPbkdf2Limit)
        return fail(ErrorCode::Corrupt, "Invalid PBKDF2 passdb entry prefix");
    return equals_constant_time(pbkdf2(Digest::Sha1, input.password, fields[2], *rounds), *hash);
}

Result<std::string> generate_pbkdf2(const SchemeInput& input) {
    std::string salt = random_bytes(16);
    for (char& c : salt) c = kSaltCharacters[static_cast<unsigned char>(c) & 63];
    std::uint32_t rounds =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(input.rounds.value_or(5000), 1, kPbkdf2Limit));
    return fmt::format("$1${}${}${}", salt, rounds, hex_encode(pbkdf2(Digest::Sha1, input.password, salt, rounds)));
}

Result<bool> verify_argon2(const SchemeInput& input, std::string_view raw) {
    if (!raw.starts_with("$argon2") || raw.size() >= crypto_pwhash_STRBYTES || raw.find('\0') != raw.npos)
        return fail(ErrorCode::Corrupt, "Not a valid ARGON2 hash");
    if (::sodium_init() < 0) return fail(ErrorCode::Internal, "sodium_init() failed");
    return ::crypto_pwhash_str_verify(std::string(raw).c_str(), input.password.data(), input.password.size()) == 0;
}

namespace {
Result<std::string> generate_argon2(const SchemeInput& input, unsigned long long rounds, std::size_t memory,
                                    int algorithm, std::string_view name) {
    if (::sodium_init() < 0) return fail(ErrorCode::Internal, "sodium_init() failed");
    char out[crypto_pwhash_STRBYTES];
    if (::crypto_pwhash_str_alg(out, input.password.data(), input.password.size(), rounds, memory, algorithm) != 0)
        return fail_errno(fmt::format("crypto_pwhash_{}_str", name));
    return std::string(out);
}
// A minute and more for each login is nobody's wish.
constexpr std::uint64_t kArgonRoundLimit = 100;
}  // namespace

Result<std::string> generate_argon2i(const SchemeInput& input) {
    std::uint64_t rounds =
        std::min<std::uint64_t>(input.rounds.value_or(crypto_pwhash_argon2i_OPSLIMIT_INTERACTIVE), kArgonRoundLimit);
    std::size_t memory = rounds >= crypto_pwhash_argon2i_OPSLIMIT_SENSITIVE ? crypto_pwhash_argon2i_MEMLIMIT_SENSITIVE
                         : rounds >= crypto_pwhash_argon2i_OPSLIMIT_MODERATE
                             ? crypto_pwhash_argon2i_MEMLIMIT_MODERATE
                             : crypto_pwhash_argon2i_MEMLIMIT_INTERACTIVE;
    return generate_argon2(input, rounds, memory, crypto_pwhash_ALG_ARGON2I13, "argon2i");
}

Result<std::string> generate_argon2id(const SchemeInput& input) {
    std::uint64_t rounds = std::min<std::uint64_t>(input.rounds.value_or(2), kArgonRoundLimit);
    std::size_t memory = rounds >= crypto_pwhash_argon2id_OPSLIMIT_SENSITIVE ? crypto_pwhash_argon2id_MEMLIMIT_SENSITIVE
                         : rounds >= crypto_pwhash_argon2id_OPSLIMIT_MODERATE
                             ? crypto_pwhash_argon2id_MEMLIMIT_MODERATE
                             : crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;
    return generate_argon2(input, std::max<std::uint64_t>(rounds, 3), memory, crypto_pwhash_ALG_ARGON2ID13, "argon2id");
}

Result<ScramKeys> parse_scram_keys(Digest kind, std::string_view text) {
    auto fields = split(text, ',');
    ScramKeys keys;
    auto iterations = fields.size() == 4 ? parse_uint32(fields[0]) : std::nullopt;
    auto salt = iterations ? base64_decode(fields[1]) : std::nullopt;
    auto stored = salt ? base64_decode(fields[2]) : std::nullopt;
    auto server = stored ? base64_decode(fields[3]) : std::nullopt;
    if (!server || *iterations == 0 || *iterations > kScramLimit || stored->size() != digest_size(kind) ||
        server->size() != digest_size(kind))
        return fail(ErrorCode::Corrupt, kind == Digest::Sha256 ? "Invalid SCRAM-SHA-256 passdb entry format"
                                                               : "Invalid SCRAM-SHA-1 passdb entry format");
    return ScramKeys{*iterations, *salt, *stored, *server};
}

ScramKeys make_scram_keys(Digest kind, std::string_view password, std::string_view salt, std::uint32_t iterations) {
    std::string salted = pbkdf2(kind, password, salt, iterations);
    ScramKeys keys{iterations, std::string(salt), digest(kind, hmac(kind, salted, "Client Key")),
                   hmac(kind, salted, "Server Key")};
    ::explicit_bzero(salted.data(), salted.size());
    return keys;
}

template <Digest Kind>
Result<bool> verify_scram(const SchemeInput& input, std::string_view raw) {
    ScramKeys keys = TRY(parse_scram_keys(Kind, raw));
    return equals_constant_time(make_scram_keys(Kind, input.password, keys.salt, keys.iterations).stored_key,
                                keys.stored_key);
}

template <Digest Kind>
Result<std::string> generate_scram(const SchemeInput& input) {
    ScramKeys keys = make_scram_keys(Kind, input.password, random_bytes(16), 4096);
    return fmt::format("{},{},{},{}", keys.iterations, base64_encode(keys.salt), base64_encode(keys.stored_key),
                       base64_encode(keys.server_key));
}

template Result<bool> verify_scram<Digest::Sha1>(const SchemeInput&, std::string_view);
template Result<bool> verify_scram<Digest::Sha256>(const SchemeInput&, std::string_view);
template Result<std::string> generate_scram<Digest::Sha1>(const SchemeInput&);
template Result<std::string> generate_scram<Digest::Sha256>(const SchemeInput&);

namespace {
// RFC 2289 appendix A: a digest folded to 64 bits.
std::string otp_fold(Digest kind, std::string_view bytes) {
    std::string full = digest(kind, bytes), out(full.substr(0, 8));
    for (std::size_t i = 8; i < full.size(); ++i) out[i % 8] = static_cast<char>(out[i % 8] ^ full[i]);
    if (kind != Digest::Sha1) return out;
    // SHA-1 is folded as big-endian words and written as little-endian ones.
    std::reverse(out.begin(), out.begin() + 4);
    std::reverse(out.begin() + 4, out.end());
    return out;
}

std::string otp(Digest kind, std::string_view seed, std::string_view password, std::uint32_t sequence) {
    std::string value = otp_fold(kind, to_lower(seed) + std::string(password));
    for (std::uint32_t i = 0; i < sequence; ++i) value = otp_fold(kind, value);
    return value;
}

constexpr std::uint32_t kOtpSequence = 1024, kOtpSequenceLimit = 9999;
}  // namespace

Result<bool> verify_otp(const SchemeInput& input, std::string_view raw) {
    auto fields = split_words(raw);
    auto sequence = fields.size() == 4 ? parse_uint32(fields[1]) : std::nullopt;
    auto expected = sequence ? hex_decode(fields[3]) : std::nullopt;
    if (!expected || *sequence > kOtpSequenceLimit) return fail(ErrorCode::Corrupt, "Invalid OTP data in passdb");
    Digest kind = Digest::Sha1;
    if (fields[0] == "md4") kind = Digest::Md4;
    else if (fields[0] == "md5") kind = Digest::Md5;
    else if (fields[0] != "sha1") return fail(ErrorCode::Corrupt, "Unknown OTP algorithm");
    return equals_constant_time(otp(kind, fields[2], input.password, *sequence), *expected);
}

Result<std::string> generate_otp(const SchemeInput& input) {
    std::string seed = hex_encode(random_bytes(8));
    return fmt::format("sha1 {} {} {}", kOtpSequence, seed,
                       hex_encode(otp(Digest::Sha1, seed, input.password, kOtpSequence)));
}

Result<bool> verify_plain_trunc(const SchemeInput& input, std::string_view raw) {
    std::size_t dash = raw.find('-');
    auto limit = dash == raw.npos ? std::nullopt : parse_uint32(raw.substr(0, dash));
    if (!limit) return fail(ErrorCode::Corrupt, "PLAIN-TRUNC missing length: prefix");
    std::string_view text = raw.substr(dash + 1);
    if (text.size() == *limit && input.password.size() > text.size())
        return equals_constant_time(input.password.substr(0, text.size()), text);
    return equals_constant_time(input.password, text);
}

}  // namespace culver::schemes
