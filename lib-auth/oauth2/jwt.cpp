#include "lib-auth/oauth2/jwt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib-base/text.h"

namespace culver {

namespace {
// RFC 4648 §5; padding is taken as it is by others, a non-zero rest of bits is not.
std::optional<std::string> decode_base64url(std::string_view text) {
    std::string plain(text);
    while (plain.ends_with('=') && text.size() - plain.size() < 2) plain.pop_back();
    for (char& c : plain) {
        if (c == '+' || c == '/' || c == '=') return std::nullopt;
        if (c == '-') c = '+';
        else if (c == '_') c = '/';
    }
    while (plain.size() % 4 != 0) plain += '=';
    auto decoded = base64_decode(plain);
    if (!decoded || base64_encode(*decoded) != plain) return std::nullopt;
    return decoded;
}

struct Time {
    enum class Kind { Missing, Malformed, Good } kind = Kind::Missing;
    std::int64_t seconds = 0;
};
// NumericDate (RFC 7519 §2), also as a string of digits.
Time time_claim(const JsonObject& claims, std::string_view name) {
    const JsonMember* member = claims.find(name);
    if (!member) return {};
    std::string_view text = member->text;
    bool possible = member->kind == JsonMember::Kind::Number || member->kind == JsonMember::Kind::String;
    if (member->kind == JsonMember::Kind::Number) {
        // A fraction of a second changes nothing.
        std::size_t point = text.find('.');
        bool fraction = point != text.npos && point + 1 < text.size() &&
                        std::all_of(text.begin() + static_cast<std::ptrdiff_t>(point) + 1, text.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
        if (fraction) text = text.substr(0, point);
    }
    auto value = possible ? parse_uint64(text) : std::nullopt;
    if (!value || *value > std::uint64_t{std::numeric_limits<std::int64_t>::max() / 2})
        return {Time::Kind::Malformed, 0};
    return {Time::Kind::Good, static_cast<std::int64_t>(*value)};
}

bool has_item(const JsonMember* member, std::string_view wanted) {
    if (!member) return false;
    if (member->kind == JsonMember::Kind::List)
        return std::find(member->items.begin(), member->items.end(), wanted) != member->items.end();
    return member->text == wanted;
}

bool is_token_type(std::string_view type) {
    return equals_ignore_case(type, "JWT") || equals_ignore_case(type, "at+jwt") ||
           equals_ignore_case(type, "application/at+jwt");
}
}  // namespace

Result<Jwt> parse_jwt(std::string_view token) {
    auto bad = [](std::string why) { return fail(ErrorCode::Corrupt, std::move(why)); };
    if (token.size() > kTokenLimit) return bad("Not a JWT token: longer than 8 KiB");
    auto parts = split(token, '.');
    if (parts.size() != 3) return bad("Not a JWT token");
    auto header_text = decode_base64url(parts[0]), claims_text = decode_base64url(parts[1]),
         signature = decode_base64url(parts[2]);
    if (!header_text || !claims_text || !signature) return bad("Not a JWT token");
    auto header = JsonObject::parse(*header_text, JsonObject::Duplicates::Refused);
    if (!header) return bad("Not a JWT token");
    Jwt jwt;
    if (!is_token_type(header->string("typ"))) return bad("Cannot find 'typ' field");
    jwt.algorithm = to_upper(header->string("alg"));
    if (jwt.algorithm.empty()) return bad("Cannot find 'alg' field");
    // RFC 7515 §4.1.11: extensions that must be understood; none is.
    if (header->find("crit")) return bad("Unsupported 'crit' field");
    const JsonMember* key_id = header->find("kid");
    if (key_id && key_id->text.empty()) return bad("'kid' field is empty");
    jwt.key_id = key_id ? key_id->text : "default";
    auto claims = JsonObject::parse(*claims_text, JsonObject::Duplicates::Refused);
    if (!claims) return bad(claims.error().detail);
    jwt.claims = std::move(*claims);
    const JsonMember* party = jwt.claims.find("azp");
    jwt.party = party ? party->text : "default";
    jwt.signing_input = token.substr(0, parts[0].size() + 1 + parts[1].size());
    jwt.signature = std::move(*signature);
    return jwt;
}

std::optional<std::string> find_claim_problem(const Jwt& token, const JwtRules& rules, std::int64_t now) {
    const JsonObject& claims = token.claims;
    const JsonMember* subject = claims.find("sub");
    if (!subject || subject->text.empty()) return "Missing 'sub' field";
    Time expires = time_claim(claims, "exp"), not_before = time_claim(claims, "nbf"),
         issued = time_claim(claims, "iat");
    if (expires.kind == Time::Kind::Missing) return "Missing 'exp' field";
    if (expires.kind == Time::Kind::Malformed) return "Malformed 'exp' field";
    if (not_before.kind == Time::Kind::Malformed) return "Malformed 'nbf' field";
    if (issued.kind == Time::Kind::Malformed) return "Malformed 'iat' field";
    if (not_before.seconds > now + kClockSkewSeconds) return "Token is not valid yet";
    if (issued.seconds > now + kClockSkewSeconds) return "Token is issued in future";
    if (expires.seconds < now) return "Token has expired";
    if (!rules.issuers.empty()) {
        std::string_view issuer = claims.string("iss");
        if (issuer.empty()) return "Token is missing 'iss' field";
        if (std::find(rules.issuers.begin(), rules.issuers.end(), issuer) == rules.issuers.end())
            return fmt::format("Issuer '{}' is not allowed", issuer.substr(0, 128));
    }
    if (!rules.audience.empty()) {
        const JsonMember* audience = claims.find("aud");
        if (!audience) return "client_id set but aud is missing";
        if (!has_item(audience, rules.audience)) return "client_id not found in aud field";
    }
    if (rules.scope.empty()) return std::nullopt;
    const JsonMember* scope = claims.find("scope");
    if (!scope) return "scope set but not found in token";
    auto granted = split_words(scope->text);
    for (const std::string& wanted : rules.scope)
        if (std::find(granted.begin(), granted.end(), wanted) == granted.end())
            return fmt::format("configured scope '{}' missing from token scope '{}'", rules.scope_text,
                               scope->text.substr(0, 256));
    return std::nullopt;
}

std::optional<std::string> path_component_of(std::string_view identifier) {
    if (identifier.empty() || identifier.size() > 255 || identifier.front() == '.') return std::nullopt;
    std::string out;
    for (char c : identifier) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
        if (c == '/') out += "%2f";
        else if (c == '%') out += "%25";
        else out += c;
    }
    if (out.size() > 255) return std::nullopt;
    return out;
}

}  // namespace culver
