#include "lib-auth/schemes/crypt.h"

#include <crypt.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::schemes {

namespace {
constexpr std::string_view kSaltCharacters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string random_salt(std::size_t size) {
    std::string salt = random_bytes(size);
    for (char& c : salt) c = kSaltCharacters[static_cast<unsigned char>(c) & 63];
    return salt;
}

// crypt(3) of a password; an Error when libcrypt does not know the setting. A NUL in the password cannot be hashed
// faithfully by a C string interface, so such a password matches nothing (security rule M2).
Result<std::string> run_crypt(std::string_view password, const std::string& setting) {
    if (password.find('\0') != password.npos) return fail(ErrorCode::InvalidArgument, "NUL in password");
    // 32 KiB: kept per thread, wiped after each use.
    static thread_local std::unique_ptr<crypt_data> data = std::make_unique<crypt_data>();
    std::memset(data.get(), 0, sizeof *data);
    std::string phrase(password);
    const char* hashed = ::crypt_rn(phrase.c_str(), setting.c_str(), data.get(), sizeof *data);
    Result<std::string> out = fail(ErrorCode::Unsupported, "crypt(3) does not support this hash");
    if (hashed && hashed[0] != '*') out = std::string(hashed);
    ::explicit_bzero(phrase.data(), phrase.size());
    ::explicit_bzero(data.get(), sizeof *data);
    return out;
}

Result<std::string> generate(const SchemeInput& input, const std::string& setting) {
    return run_crypt(input.password, setting);
}

Result<std::string> generate_sha_crypt(const SchemeInput& input, char id) {
    std::string setting = fmt::format("${}$", id);
    if (input.rounds) {
        // The format's own bounds; more than a million rounds take seconds for each login.
        std::uint64_t rounds = std::clamp<std::uint64_t>(*input.rounds, 1000, 999'999'999);
        if (rounds != 5000) setting += fmt::format("rounds={}$", rounds);
    }
    return generate(input, setting + random_salt(16));
}
}  // namespace

Result<bool> verify_crypt(const SchemeInput& input, std::string_view raw) {
    if (raw.empty()) return false;  // an empty hash never matches
    if (raw.find('\0') != raw.npos) return fail(ErrorCode::Corrupt, "NUL in password hash");
    auto hashed = run_crypt(input.password, std::string(raw));
    if (!hashed) return false;
    return equals_constant_time(*hashed, raw);
}

Result<std::string> generate_bcrypt(const SchemeInput& input) {
    std::uint64_t cost = std::clamp<std::uint64_t>(input.rounds.value_or(5), 4, 31);
    std::string salt = random_salt(21);
    // The last character of 22 carries only two bits.
    salt += ".Oeu"[static_cast<unsigned char>(random_bytes(1)[0]) & 3];
    return generate(input, fmt::format("$2y${:02}${}", cost, salt));
}

Result<std::string> generate_des_crypt(const SchemeInput& input) { return generate(input, random_salt(2)); }
Result<std::string> generate_md5_crypt(const SchemeInput& input) { return generate(input, "$1$" + random_salt(8)); }
Result<std::string> generate_sha256_crypt(const SchemeInput& input) { return generate_sha_crypt(input, '5'); }
Result<std::string> generate_sha512_crypt(const SchemeInput& input) { return generate_sha_crypt(input, '6'); }

}  // namespace culver::schemes
