#include "login/core/login-log.h"

#include <fmt/format.h>

#include <vector>

#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {
namespace {

std::string security_word(const LoginLogFields& fields) {
    switch (fields.security) {
        case LoginLogFields::Security::None: return {};
        case LoginLogFields::Security::Secured: return "secured";
        case LoginLogFields::Security::TlsHandshaking: return "TLS handshaking";
        case LoginLogFields::Security::Tls: return "TLS";
    }
    return {};
}

std::string number_or_empty(long value) { return value == 0 ? std::string() : std::to_string(value); }

std::optional<std::string> look_up(std::string_view name, const LoginLogFields& fields) {
    if (name == "user" || name == "orig_user" || name == "auth_user") return fields.user;
    if (name == "username") return fields.user.substr(0, fields.user.find('@'));
    if (name == "domain") {
        const auto at = fields.user.find('@');
        return at == std::string::npos ? std::string() : fields.user.substr(at + 1);
    }
    if (name == "service") return fields.protocol;
    if (name == "mech") return fields.mechanism;
    if (name == "real_rip" && !fields.real_remote_ip.empty()) return fields.real_remote_ip;
    if (name == "real_lip" && !fields.real_local_ip.empty()) return fields.real_local_ip;
    if (name == "rip" || name == "real_rip") return fields.remote_ip;
    if (name == "lip" || name == "real_lip") return fields.local_ip;
    if (name == "lport" || name == "real_lport") return number_or_empty(fields.local_port);
    if (name == "rport" || name == "real_rport") return number_or_empty(fields.remote_port);
    if (name == "mail_pid") return number_or_empty(fields.mail_pid);
    if (name == "secured") return security_word(fields);
    if (name == "ssl_security") return fields.tls_description;
    if (name == "session") return fields.session;
    if (name == "local_name" || name == "listener") return fields.server_name;
    if (name == "client_id") return fields.client_id;
    return std::nullopt;
}

// Two letters mean something else in this format than anywhere else: %e is the mail process, %k the TLS parameters.
std::string with_long_names(std::string_view element) {
    std::string result;
    for (std::size_t i = 0; i < element.size(); ++i) {
        const std::string_view two = element.substr(i, 2);
        if (two == "%e" || two == "%k") result += two == "%e" ? "%{mail_pid}" : "%{ssl_security}";
        else result += two == "%%" ? two : element.substr(i, 1);
        if (two == "%e" || two == "%k" || two == "%%") ++i;
    }
    return result;
}

}  // namespace

// An element is judged by its variables: "mpid=%e" without a pid is nothing to say.
std::string login_log_line(std::string_view format, std::string_view elements, std::string_view text,
                           const LoginLogFields& fields) {
    std::vector<std::string> said;
    for (std::string_view element : split_words(elements)) {
        bool has_value = element.find('%') == std::string_view::npos;
        auto expanded = expand_variables(with_long_names(element), [&](std::string_view name) {
            auto value = look_up(name, fields);
            if (value && !value->empty()) has_value = true;
            return value;
        });
        if (!expanded) expanded = std::string(element);
        if (has_value || element.starts_with("user=")) said.push_back(std::move(*expanded));
    }
    std::string list = join(said, ", "), line;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            line += format[i];
            continue;
        }
        ++i;
        if (format[i] == '$') line += text;
        else if (format[i] == 's') line += list;
        else if (format[i] == '%') line += '%';
        else line.append({'%', format[i]});
    }
    return line;
}

}  // namespace culver
