#include "lib-auth/password-scheme.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

namespace {
struct SchemeName {
    const PasswordScheme* scheme = nullptr;
    std::optional<PasswordEncoding> forced;
};

std::optional<SchemeName> resolve(std::string_view name) {
    SchemeName out;
    if (std::size_t dot = name.find('.'); dot != name.npos) {
        std::string_view suffix = name.substr(dot + 1);
        if (equals_ignore_case(suffix, "hex")) out.forced = PasswordEncoding::Hex;
        else if (equals_ignore_case(suffix, "b64") || equals_ignore_case(suffix, "base64"))
            out.forced = PasswordEncoding::Base64;
        else return std::nullopt;
        name = name.substr(0, dot);
    }
    out.scheme = find_password_scheme(name);
    if (!out.scheme) return std::nullopt;
    return out;
}

// Without a suffix a scheme of fixed length takes hex and base64, whichever its default is.
PasswordEncoding detect_encoding(const PasswordScheme& scheme, std::string_view data) {
    if (scheme.encoding == PasswordEncoding::None || scheme.raw_length == 0) return scheme.encoding;
    return data.size() == scheme.raw_length * 2 ? PasswordEncoding::Hex : PasswordEncoding::Base64;
}
}  // namespace

const PasswordScheme* find_password_scheme(std::string_view name) {
    for (const PasswordScheme& scheme : password_schemes())
        if (equals_ignore_case(scheme.name, name)) return &scheme;
    return nullptr;
}

std::pair<std::string_view, std::string_view> split_password(std::string_view text) {
    // The one hash that names itself, whatever the default is.
    if (text.starts_with("$1$") && text.find('$', 3) != text.npos) return {"MD5-CRYPT", text};
    if (!text.starts_with('{')) return {{}, text};
    std::size_t end = text.find('}');
    if (end == text.npos) return {{}, text};
    return {text.substr(1, end - 1), text.substr(end + 1)};
}

const PasswordScheme* scheme_of_password(std::string_view text, std::string_view default_scheme) {
    auto [name, data] = split_password(text);
    auto resolved = resolve(name.empty() ? default_scheme : name);
    return resolved ? resolved->scheme : nullptr;
}

Result<StoredPassword> decode_password(std::string_view text, std::string_view default_scheme) {
    auto [name, data] = split_password(text);
    if (name.empty()) name = default_scheme;
    auto resolved = resolve(name);
    if (!resolved) return fail(ErrorCode::Unsupported, fmt::format("Unknown scheme {}", name));
    const PasswordScheme& scheme = *resolved->scheme;
    std::optional<std::string> raw;
    switch (resolved->forced.value_or(detect_encoding(scheme, data))) {
        case PasswordEncoding::None: raw = std::string(data); break;
        case PasswordEncoding::Hex:
            raw = hex_decode(data);
            if (!raw) return fail(ErrorCode::Corrupt, "Input isn't valid HEX encoded data");
            break;
        case PasswordEncoding::Base64:
            raw = base64_decode(data);
            if (!raw) return fail(ErrorCode::Corrupt, "Input isn't valid base64 encoded data");
            break;
    }
    if (scheme.raw_length != 0 && raw->size() != scheme.raw_length)
        return fail(ErrorCode::Corrupt,
                    fmt::format("Input length isn't valid ({} instead of {})", raw->size(), scheme.raw_length));
    StoredPassword stored{&scheme, SecretString(*raw)};
    ::explicit_bzero(raw->data(), raw->size());
    return stored;
}

Result<bool> verify_password(const StoredPassword& stored, std::string_view password, std::string_view user) {
    return stored.scheme->verify(SchemeInput{password, user, {}}, stored.raw.reveal());
}

Result<std::string> generate_password(std::string_view scheme_name, const SchemeInput& input) {
    auto resolved = resolve(scheme_name);
    if (!resolved || !resolved->scheme->generate)
        return fail(ErrorCode::Unsupported, fmt::format("Unknown scheme: {}", scheme_name));
    std::string raw = TRY(resolved->scheme->generate(input));
    std::string out = '{' + to_upper(scheme_name) + '}';
    switch (resolved->forced.value_or(resolved->scheme->encoding)) {
        case PasswordEncoding::None: out += raw; break;
        case PasswordEncoding::Hex: out += hex_encode(raw); break;
        case PasswordEncoding::Base64: out += base64_encode(raw); break;
    }
    return out;
}

}  // namespace culver
