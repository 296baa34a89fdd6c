#include "lib-auth/app-passwords/app-password.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "lib-auth/wildcard.h"
#include "lib-base/random.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver {

namespace {
// Small letters without l and o, which people take for 1 and 0.
constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz";
constexpr std::size_t kGroups = 4, kGroupSize = 5, kLetters = kGroups * kGroupSize;
constexpr std::size_t kSaltSize = 16, kNameLimit = 64, kServiceLimit = 32, kListLimit = 1000;
constexpr std::string_view kAlgorithm = "sha256$";
constexpr std::string_view kKnownServices = "imap pop3 smtp sieve lmtp doveadm jmap http xmpp dav ftp";

std::string sha256(std::string_view salt, std::string_view letters) {
    std::array<char, kSaltSize + kLetters> input{};
    std::memcpy(input.data(), salt.data(), kSaltSize);
    std::memcpy(input.data() + kSaltSize, letters.data(), kLetters);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    ::SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest.data());
    ::explicit_bzero(input.data(), input.size());
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// What a login process or an admin calls a service, as it is kept.
std::string service_name(std::string_view word) {
    std::string name = to_lower(word);
    if (name == "submission" || name == "submissions" || name == "smtps") return "smtp";
    if (name == "imaps") return "imap";
    if (name == "pop3s") return "pop3";
    if (name == "managesieve") return "sieve";
    return name;
}

std::vector<std::string_view> list_words(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::string_view part : split(text, ','))
        for (std::string_view word : split_words(part)) out.push_back(word);
    return out;
}

bool has_word(std::string_view list, std::string_view word) {
    auto words = split_words(list);
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<std::int64_t> unit_seconds(std::string_view unit) {
    struct Unit {
        std::string_view prefix;  // of the long word: "d", "day", "days"
        std::string_view word;
        std::int64_t seconds;
    };
    static constexpr Unit kUnits[] = {{"h", "hours", 3600},        {"d", "days", 86400},
                                      {"w", "weeks", 7 * 86400},   {"mon", "months", 30 * 86400},
                                      {"y", "years", 365 * 86400}, {"min", "minutes", 60}};
    for (const Unit& known : kUnits)
        if (unit.starts_with(known.prefix) && known.word.starts_with(unit)) return known.seconds;
    return std::nullopt;
}

// "2026-12-31", "2026-12-31 18:00": a day alone lasts to its end.
std::optional<std::int64_t> parse_date(std::string_view text) {
    auto number = [&](std::size_t at, std::size_t size) { return parse_uint32(text.substr(at, size)); };
    if ((text.size() != 10 && text.size() != 16) || text[4] != '-' || text[7] != '-') return std::nullopt;
    auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
    if (!year || !month || !day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    std::tm when{};
    when.tm_year = static_cast<int>(*year) - 1900;
    when.tm_mon = static_cast<int>(*month) - 1;
    when.tm_mday = static_cast<int>(*day);
    when.tm_isdst = -1;
    when.tm_hour = 23, when.tm_min = 59, when.tm_sec = 59;
    if (text.size() == 16) {
        auto hour = number(11, 2), minute = number(14, 2);
        if ((text[10] != ' ' && text[10] != 'T') || text[13] != ':' || !hour || !minute || *hour > 23 || *minute > 59)
            return std::nullopt;
        when.tm_hour = static_cast<int>(*hour), when.tm_min = static_cast<int>(*minute), when.tm_sec = 0;
    }
    std::time_t seconds = std::mktime(&when);
    // mktime makes 31 February into a day of March; that is nobody's wish.
    if (seconds == -1 || when.tm_mday != static_cast<int>(*day)) return std::nullopt;
    return seconds;
}
}  // namespace

SecretString make_app_password() {
    std::string letters;
    while (letters.size() < kLetters + kGroups - 1) {
        // 240 is the last multiple of 24 in a byte: each letter equally often.
        auto byte = static_cast<unsigned char>(random_bytes(1)[0]);
        if (byte >= 240) continue;
        letters += kAlphabet[byte % kAlphabet.size()];
        if (letters.size() % (kGroupSize + 1) == kGroupSize && letters.size() < kLetters + kGroups - 1) letters += '-';
    }
    SecretString out(letters);
    ::explicit_bzero(letters.data(), letters.size());
    return out;
}

std::optional<SecretString> app_password_letters(std::string_view given) {
    const bool is_grouped = given.size() == kLetters + kGroups - 1;
    if (!is_grouped && given.size() != kLetters) return std::nullopt;
    std::array<char, kLetters> letters{};
    std::size_t count = 0;
    bool good = true;
    for (std::size_t i = 0; i < given.size() && good; ++i) {
        if (is_grouped && i % (kGroupSize + 1) == kGroupSize) {
            good = given[i] == '-' || given[i] == ' ';
            continue;
        }
        const char c = ascii_lower(given[i]);
        good = kAlphabet.find(c) != kAlphabet.npos;
        letters[count++] = c;
    }
    std::optional<SecretString> out;
    if (good) out.emplace(std::string_view(letters.data(), letters.size()));
    ::explicit_bzero(letters.data(), letters.size());
    return out;
}

std::string hash_app_password(const SecretString& letters) {
    const std::string salt = random_bytes(kSaltSize);
    return std::string(kAlgorithm) + hex_encode(salt) + '$' + hex_encode(sha256(salt, letters.reveal()));
}

bool matches_app_password(std::string_view secret, const SecretString& letters) {
    constexpr std::size_t kSaltHex = kSaltSize * 2, kHashHex = SHA256_DIGEST_LENGTH * 2;
    if (letters.size() != kLetters || secret.size() != kAlgorithm.size() + kSaltHex + 1 + kHashHex ||
        !secret.starts_with(kAlgorithm) || secret[kAlgorithm.size() + kSaltHex] != '$')
        return false;
    auto salt = hex_decode(secret.substr(kAlgorithm.size(), kSaltHex));
    auto hash = hex_decode(secret.substr(kAlgorithm.size() + kSaltHex + 1));
    return salt && hash && equals_constant_time(*hash, sha256(*salt, letters.reveal()));
}

const AppPassword* find_app_password(std::span<const AppPassword> rows, const SecretString& letters) {
    const AppPassword* found = nullptr;
    for (const AppPassword& row : rows)
        if (matches_app_password(row.secret, letters)) found = &row;
    return found;
}

Result<std::string> parse_app_services(std::string_view text, std::vector<std::string>* unknown) {
    std::string out;
    for (std::string_view word : list_words(text)) {
        std::string name = service_name(word);
        bool is_word = name.size() <= kServiceLimit && std::all_of(name.begin(), name.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
                       });
        if (!is_word) return fail(ErrorCode::InvalidArgument, fmt::format("Not the name of a service: {}", word));
        if (has_word(out, name)) continue;
        if (unknown && !has_word(kKnownServices, name)) unknown->push_back(name);
        out += (out.empty() ? "" : " ") + name;
    }
    if (out.size() > kListLimit) return fail(ErrorCode::InvalidArgument, "Too many services");
    return out;
}

bool serves(std::string_view services, std::string_view service) {
    return services.empty() || has_word(services, service_name(service));
}

Result<std::string> parse_app_networks(std::string_view text) {
    std::string out;
    for (std::string_view word : list_words(text)) {
        if (word != "local" && !IpNetwork::parse(word))
            return fail(
                ErrorCode::InvalidArgument,
                fmt::format("Not a network: {} (write 192.0.2.0/24, 2001:db8::/32, an address, or local)", word));
        out += (out.empty() ? "" : ",") + std::string(word);
    }
    if (out.size() > kListLimit) return fail(ErrorCode::InvalidArgument, "Too many networks");
    return out;
}

Result<std::optional<std::int64_t>> parse_app_expiry(std::string_view text, std::int64_t now) {
    text = trim(text);
    if (text == "never") return std::nullopt;
    std::optional<std::int64_t> end = parse_date(text);
    if (!end) {
        std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        auto count = parse_uint32(text.substr(0, digits));
        auto unit = unit_seconds(trim(text.substr(digits)));
        if (!count || !unit || *count > 100'000)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Not a time: {} (write 90d, 12 weeks, 2 years, 2030-12-31 or never)", text));
        end = now + static_cast<std::int64_t>(*count) * *unit;
    }
    if (*end <= now) return fail(ErrorCode::InvalidArgument, fmt::format("{} is over already", text));
    return end;
}

Status check_app_password_name(std::string_view name) {
    if (name.empty() || name.size() > kNameLimit)
        return fail(ErrorCode::InvalidArgument, "The name of an app password has 1 to 64 bytes");
    bool is_number = name.find_first_not_of("0123456789") == name.npos;
    if (is_number) return fail(ErrorCode::InvalidArgument, "A name of digits alone would read as an id");
    bool has_control =
        std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (has_control || !is_valid_utf8(name) || name.starts_with('-'))
        return fail(ErrorCode::InvalidArgument, "The name of an app password is printable text and begins with no '-'");
    return {};
}

std::string refusal_of(const AppPassword& row, std::string_view service, std::string_view remote_ip, std::int64_t now) {
    if (row.expires && *row.expires <= now) return "has expired";
    if (!serves(row.services, service))
        return fmt::format("is not good for service {}, only for {}", service, row.services);
    if (row.networks.empty()) return {};
    std::string why;
    if (is_allowed_network(row.networks, remote_ip, [&](std::string reason) { why = std::move(reason); })) return {};
    return remote_ip.empty() ? "is not good for a client without an address"
                             : fmt::format("is not good for address {}, only for {}", remote_ip, row.networks);
}

bool is_app_password_required(std::string_view setting, std::string_view service) {
    auto words = list_words(setting);
    if (words.empty() || words[0] == "yes") return true;
    if (words[0] == "no") return false;
    const std::string name = service_name(service);
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return service_name(word) == name; });
}

}  // namespace culver
