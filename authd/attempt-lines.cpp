#include "authd/attempt-lines.h"

#include <fmt/format.h>

namespace culver {

namespace {
// Where a login goes on, which a refused one does not.
constexpr std::string_view kOfAnOk[] = {"nologin", "proxy", "proxy_maybe", "proxy_always", "host", "port", "destuser"};

// Who it was in the beginning, unless a database says otherwise.
void append_names(std::string& line, const AuthRequest& auth) {
    bool changed = auth.translated_user.empty() || auth.user != auth.original_user;
    if (changed && !auth.fields.contains("original_user")) append_auth_field(line, "original_user", auth.original_user);
    if (!auth.master_user.empty() && !auth.fields.contains("auth_user"))
        append_auth_field(line, "auth_user", auth.master_user);
}

std::string_view code_of(AuthResult result, const AuthRequest& auth) {
    if (result == AuthResult::InternalFailure) return "\tcode=temp_fail";
    if (!auth.master_user.empty()) return "\tcode=authz_fail";
    if (result == AuthResult::Disabled) return "\tcode=user_disabled";
    if (result == AuthResult::Expired) return "\tcode=pass_expired";
    return {};
}
}  // namespace

std::string ok_line(std::uint32_t id, const AuthRequest& auth) {
    std::string line = fmt::format("OK\t{}", id);
    append_auth_field(line, "user", auth.user);
    const AuthField* last = auth.fields.find("resp");
    if (last) {
        AuthFields others = auth.fields;
        others.remove("resp");
        others.append_to(line);
    } else {
        auth.fields.append_to(line);
    }
    append_names(line, auth);
    if (last) append_auth_field(line, "resp", last->value);
    line += '\n';
    return line;
}

std::string fail_line(std::uint32_t id, const AuthRequest& auth, AuthResult result, std::string_view reason) {
    std::string line = fmt::format("FAIL\t{}", id);
    if (auth.named) append_auth_field(line, "user", auth.user);
    if (auth.fields.contains("nodelay")) line += "\tnodelay";
    line += code_of(result, auth);
    if (!auth.fields.empty()) {
        AuthFields others = auth.fields;
        for (std::string_view key : kOfAnOk) others.remove(key);
        others.append_to(line);
    }
    if (auth.named) append_names(line, auth);
    if (!reason.empty()) append_auth_field(line, "reason", reason);
    line += '\n';
    return line;
}

}  // namespace culver
