#include "lib-auth/auth-request.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lib-config/variables.h"

namespace culver {

namespace {
std::string local_part(std::string_view user) { return std::string(user.substr(0, user.find('@'))); }
// %d is what follows the first @, %{domain_last} what follows the last one.
std::string domain(std::string_view user) {
    std::size_t at = user.find('@');
    return at == user.npos ? std::string() : std::string(user.substr(at + 1));
}
std::string domain_last(std::string_view user) {
    std::size_t at = user.rfind('@');
    return at == user.npos ? std::string() : std::string(user.substr(at + 1));
}
std::string domain_first(std::string_view user) {
    std::string rest = domain(user);
    return rest.substr(0, rest.find('@'));
}

// user, user_username and so on for a prefix like "orig_".
std::optional<std::string> name_variable(std::string_view name, std::string_view user) {
    if (name == "user") return std::string(user);
    if (name == "username") return local_part(user);
    if (name == "domain") return domain(user);
    return std::nullopt;
}

// An unknown one is 0, as in Dovecot.
std::string port(const std::string& number) { return number.empty() ? "0" : number; }

std::optional<std::string> field_variable(const AuthFields& fields, std::string_view key) {
    std::string_view fallback;
    if (std::size_t colon = key.find(':'); colon != key.npos) {
        fallback = key.substr(colon + 1);
        key = key.substr(0, colon);
    }
    const AuthField* field = fields.find(key);
    return field ? field->value : std::string(fallback);
}
}  // namespace

std::optional<std::string> AuthRequest::variable(std::string_view name) const {
    if (auto value = name_variable(name, user)) return value;
    if (name.starts_with("orig_")) return name_variable(name.substr(5), original_user);
    if (name.starts_with("original_")) return name_variable(name.substr(9), original_user);
    if (name.starts_with("login_")) return name_variable(name.substr(6), login_user);
    if (name.starts_with("auth_")) {
        return name_variable(name.substr(5), master_user.empty() ? original_user : master_user);
    }
    if (name.starts_with("passdb:")) return field_variable(fields, name.substr(7));
    if (name.starts_with("userdb:")) return field_variable(userdb_fields, name.substr(7));
    if (name == "master_user") return master_user;
    if (name == "domain_first") return domain_first(user);
    if (name == "domain_last") return domain_last(user);
    if (name == "service" || name == "protocol") return service;
    if (name == "lip" || name == "local_ip") return local_ip;
    if (name == "rip" || name == "remote_ip") return remote_ip;
    if (name == "real_lip") return real_local_ip.empty() ? local_ip : real_local_ip;
    if (name == "real_rip") return real_remote_ip.empty() ? remote_ip : real_remote_ip;
    if (name == "lport" || name == "real_lport") return port(local_port);
    if (name == "rport" || name == "real_rport") return port(remote_port);
    if (name == "mech" || name == "mechanism") return mechanism;
    if (name == "secured") return std::string(secured ? "secured" : "");
    if (name == "cert") return std::string(valid_client_cert ? "valid" : "");
    if (name == "session") return session;
    if (name == "session_pid") return session_pid ? fmt::format("{}", *session_pid) : std::string();
    if (name == "local_name") return local_name;
    if (name == "client_id") return client_id;
    if (name == "password") return std::string(password.reveal());
    if (name == "pid") return fmt::format("{}", ::getpid());
    if (name == "home") return field_variable(userdb_fields, "home");
    return std::nullopt;
}

std::string AuthRequest::log_identity() const {
    std::string text = user.empty() ? "?" : user;
    if (!remote_ip.empty()) text += ',' + remote_ip;
    if (!master_user.empty()) text += ",master";
    if (!session.empty()) text += ",<" + session + '>';
    return text;
}

Result<std::string> expand_for_request(std::string_view text, const AuthRequest& request) {
    if (text.find('%') == text.npos) return std::string(text);
    return expand_variables(text, [&](std::string_view name) { return request.variable(name); });
}

}  // namespace culver
