#include "lib-auth/mechanisms/bearer-message.h"

#include <algorithm>
#include <cstring>

#include "lib-auth/http/json.h"
#include "lib-base/text.h"

namespace culver::mechanisms {

namespace {
constexpr char kSeparator = '\1';

// RFC 5801 §4: =2C and =3D; a bare comma or another = is an error.
bool unescape_name(std::string_view text, std::string& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',') return false;
        if (text[i] != '=') {
            out += text[i];
            continue;
        }
        std::string_view code = text.substr(i, 3);
        if (code == "=2C") out += ',';
        else if (code == "=3D") out += '=';
        else return false;
        i += 2;
    }
    return true;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::none_of(text.begin(), text.end(),
                                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Takes `auth=Bearer token`. False: this field makes the message unusable.
bool take_auth(std::string_view field, BearerMessage& out) {
    if (!field.starts_with("auth=")) return true;
    std::string_view value = field.substr(5);
    if (!starts_with_ignore_case(value, "bearer ") || !is_token(value.substr(7))) return false;
    out.token = value.substr(7);
    return true;
}

// Nothing in it counts, not even a name that stands before what is wrong.
BearerMessage useless(std::string_view problem) {
    BearerMessage out;
    out.problem = problem;
    return out;
}

// The gs2-header (RFC 5801 §4); the problem with it, if any.
std::string_view read_gs2_header(std::string_view header, BearerMessage& out) {
    for (std::string_view part : split(header, ',')) {
        if (part.empty()) continue;
        switch (part.front()) {
            case 'f':
            case 'F': return "Client requested non-standard mechanism";
            case 'p': return "Client requested and used channel-binding";
            case 'n':
            case 'y': break;
            case 'a': {
                std::string name;
                if (!part.starts_with("a=") || !unescape_name(part.substr(2), name)) return "Invalid username escaping";
                out.user = std::move(name);
                out.has_user = true;
                break;
            }
            default: return "Invalid gs2-header in request";
        }
    }
    return {};
}
}  // namespace

BearerMessage parse_xoauth2(std::string_view message) {
    BearerMessage out;
    for (std::string_view field : split(message, kSeparator)) {
        if (field.starts_with("user=")) {
            out.user = field.substr(5);
            out.has_user = true;
        } else if (!take_auth(field, out)) {
            return useless("Invalid continued data");
        }
    }
    if (!out.has_user || out.token.empty()) out.problem = "Username or token missing";
    return out;
}

BearerMessage parse_oauthbearer(std::string_view message) {
    BearerMessage out;
    auto fields = split(message, kSeparator);
    if (fields.front().empty()) return useless("Invalid continued data");
    std::string_view problem = read_gs2_header(fields.front(), out);
    if (!problem.empty()) return useless(problem);
    for (std::string_view field : fields)
        if (!take_auth(field, out)) return useless("Invalid continued data");
    if (!out.has_user || out.token.empty()) out.problem = "Missing username or token";
    return out;
}

BearerMechanism::BearerMechanism(std::string_view rejection, const AuthSettings& settings) : rejection_(rejection) {
    // RFC 7628 §3.2.2: where the client learns which provider gives tokens that are good here.
    if (!settings.openid_configuration_url.empty())
        rejection_ += ",\"openid-configuration\":" + json_quote(settings.openid_configuration_url);
    rejection_ += '}';
}

SaslStep BearerMechanism::step(std::string_view message) {
    BearerMessage parsed = parse(message);
    if (!parsed.problem.empty()) {
        SaslStep step = SaslStep::failure(parsed.problem);
        // A name that was read is echoed, as after a wrong password.
        step.user = parsed.user;
        step.names_user = parsed.has_user;
        return step;
    }
    SaslStep step = SaslStep::check_password(parsed.user, {}, parsed.token);
    ::explicit_bzero(parsed.token.data(), parsed.token.size());
    return step;
}

SaslStep BearerMechanism::refused(bool temporary) {
    return temporary ? SaslStep::failure({}) : SaslStep::challenge(rejection_);
}

}  // namespace culver::mechanisms
