#include "lib-config/variable-functions.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <regex.h>

#include <array>
#include <charconv>

#include "lib-base/text.h"

namespace culver::config {

namespace {

constexpr std::uint32_t kRoundLimit = 100000;

struct HashName {
    std::string_view name;
    const char* openssl;
};
constexpr std::array<HashName, 7> kHashes = {{{"md4", "MD4"},
                                              {"md5", "MD5"},
                                              {"sha1", "SHA1"},
                                              {"sha256", "SHA256"},
                                              {"sha384", "SHA384"},
                                              {"sha512", "SHA512"},
                                              {"sha3-256", "SHA3-256"}}};
constexpr std::string_view kPkcs5 = "pkcs5";

Computed digest(const char* name, std::string_view bytes) {
    const EVP_MD* kind = EVP_get_digestbyname(name);
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (kind == nullptr || EVP_Digest(bytes.data(), bytes.size(), out, &length, kind, nullptr) != 1)
        return std::unexpected(fmt::format("OpenSSL does not provide {}", name));
    return std::string(reinterpret_cast<char*>(out), length);
}

struct HashArguments {
    std::uint32_t rounds = 1, truncate = 0;
    std::string salt;
    bool base64 = false;
};

std::expected<HashArguments, std::string> parse_hash_arguments(std::string_view text) {
    static constexpr std::string_view kBad = "Cannot parse hash arguments:";
    HashArguments out;
    for (auto part : split(text, ',')) {
        auto equals = part.find('=');
        if (equals == std::string_view::npos) continue;
        auto name = part.substr(0, equals), value = part.substr(equals + 1);
        if (name == "rounds" || name == "truncate") {
            auto number = parse_uint32(value);
            if (!number) return std::unexpected(fmt::format("{}'{}' is not number for {}", kBad, value, name));
            if (name == "rounds" && *number < 1)
                return std::unexpected(fmt::format("{}rounds must be at least 1", kBad));
            if (name == "rounds" && *number > kRoundLimit)
                return std::unexpected(fmt::format("{}rounds must be at most {}", kBad, kRoundLimit));
            (name == "rounds" ? out.rounds : out.truncate) = *number;
        } else if (name == "salt") {
            out.salt = value;
        } else if (name == "format") {
            if (value != "hex" && value != "hexuc" && value != "base64")
                return std::unexpected(fmt::format("{}'{}' is not supported format", kBad, value));
            out.base64 = value == "base64";
        }
    }
    return out;
}

// The first `bits` bits as a number: shifted right, so that the unused ones stand in front.
std::string truncate_bits(std::string bytes, std::uint32_t bits) {
    if (bits == 0 || bits >= bytes.size() * 8) return bytes;
    bytes.resize((bits + 7) / 8);
    unsigned shift = (8 - bits % 8) % 8;
    unsigned carry = 0;
    for (char& c : bytes) {
        unsigned value = static_cast<unsigned char>(c);
        c = static_cast<char>((carry << (8 - shift) | value >> shift) & 0xff);
        carry = value & ((1U << shift) - 1);
    }
    return bytes;
}

Computed pkcs5(std::string_view salt, std::string_view input) {
    unsigned char out[32];
    if (PKCS5_PBKDF2_HMAC(input.data(), static_cast<int>(input.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), 2048,
                          EVP_sha256(), sizeof out, out) != 1)
        return std::unexpected(std::string("OpenSSL does not provide PBKDF2"));
    return std::string(reinterpret_cast<char*>(out), sizeof out);
}

bool wildcard_matches(std::string_view text, std::string_view pattern) {
    std::size_t t = 0, p = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::expected<bool, std::string> regex_matches(std::string_view text, std::string_view pattern) {
    regex_t compiled;
    std::string terminated(pattern);
    auto describe = [&](int code) {
        char message[256];
        regerror(code, &compiled, message, sizeof message);
        return fmt::format("if: regex failed: {}", message);
    };
    if (int code = regcomp(&compiled, terminated.c_str(), REG_EXTENDED); code != 0)
        return std::unexpected(describe(code));
    regmatch_t span[1] = {{0, static_cast<regoff_t>(text.size())}};  // REG_STARTEND: a NUL does not end the text
    int code = regexec(&compiled, text.data(), 1, span, REG_STARTEND);
    std::expected<bool, std::string> outcome = code == 0;
    if (code != 0 && code != REG_NOMATCH) outcome = std::unexpected(describe(code));
    regfree(&compiled);
    return outcome;
}

std::optional<std::int64_t> parse_signed(std::string_view text) {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

enum class Order { Equal, Less, LessEqual, Greater, GreaterEqual, Different };

template <typename T>
bool holds(Order order, const T& left, const T& right) {
    switch (order) {
        case Order::Equal: return left == right;
        case Order::Less: return left < right;
        case Order::LessEqual: return left <= right;
        case Order::Greater: return left > right;
        case Order::GreaterEqual: return left >= right;
        case Order::Different: return left != right;
    }
    return false;
}

struct Comparator {
    std::string_view numbers, strings;
    Order order;
};
constexpr std::array<Comparator, 6> kComparators = {{{"==", "eq", Order::Equal},
                                                     {"<", "lt", Order::Less},
                                                     {"<=", "le", Order::LessEqual},
                                                     {">", "gt", Order::Greater},
                                                     {">=", "ge", Order::GreaterEqual},
                                                     {"!=", "ne", Order::Different}}};

}  // namespace

bool is_hash_function(std::string_view name) {
    for (const auto& hash : kHashes)
        if (hash.name == name) return true;
    return name == kPkcs5;
}

Computed hash_value(std::string_view function, std::string_view arguments, std::string_view input) {
    auto options = parse_hash_arguments(arguments);
    if (!options) return std::unexpected(options.error());
    std::string value(input);
    if (function == kPkcs5) {
        auto made = pkcs5(options->salt, input);
        if (!made) return made;
        value = std::move(*made);
    } else {
        const char* openssl = nullptr;
        for (const auto& hash : kHashes)
            if (hash.name == function) openssl = hash.openssl;
        if (openssl == nullptr) return std::unexpected(fmt::format("Unknown variable '%{}'", function));
        for (std::uint32_t round = 0; round < options->rounds; ++round) {
            auto made = digest(openssl, options->salt + value);
            if (!made) return made;
            value = std::move(*made);
        }
    }
    value = truncate_bits(std::move(value), options->truncate);
    return options->base64 ? base64_encode(value) : hex_encode(value);
}

std::uint32_t old_hash(std::string_view text) {
    std::uint32_t hash = 0;
    for (char c : text) {
        hash = (hash << 4) + static_cast<unsigned char>(c);
        if (std::uint32_t top = hash & 0xf0000000U; top != 0) hash ^= top >> 24 ^ top;
    }
    return hash;
}

std::uint32_t new_hash(std::string_view text) {
    auto bytes = digest("MD5", text);
    std::uint32_t hash = 0;
    if (bytes)
        for (std::size_t i = 4; i < 8; ++i) hash = hash << 8 | static_cast<unsigned char>((*bytes)[i]);
    return hash;
}

std::string md5_hex(std::string_view text) {
    auto bytes = digest("MD5", text);
    return bytes ? hex_encode(*bytes) : std::string();
}

std::expected<bool, std::string> compare_values(std::string_view left, std::string_view comparator,
                                                std::string_view right) {
    for (const auto& known : kComparators) {
        if (comparator == known.strings) return holds(known.order, left, right);
        if (comparator != known.numbers) continue;
        auto a = parse_signed(left), b = parse_signed(right);
        if (!a) return std::unexpected(fmt::format("if: {} (lhs) is not a number", left));
        if (!b) return std::unexpected(fmt::format("if: {} (rhs) is not a number", right));
        return holds(known.order, *a, *b);
    }
    if (comparator == "*") return wildcard_matches(left, right);
    if (comparator == "!*") return !wildcard_matches(left, right);
    if (comparator == "~") return regex_matches(left, right);
    if (comparator == "!~") {
        auto matched = regex_matches(left, right);
        if (!matched) return matched;
        return !*matched;
    }
    return std::unexpected(fmt::format("if: Unsupported comparator '{}'", comparator));
}

}  // namespace culver::config
