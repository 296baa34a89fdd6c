// The lines that a login process writes about its clients, by login_log_format and login_log_format_elements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace culver {

struct LoginLogFields {
    std::string user, mechanism, remote_ip, local_ip, real_remote_ip, real_local_ip, session, tls_description,
        server_name, protocol, client_id;
    std::uint16_t local_port = 0, remote_port = 0;
    long mail_pid = 0;  // 0: none
    enum class Security { None, Secured, TlsHandshaking, Tls } security = Security::None;
};

// "Login: user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=12, TLS, session=<...>". Elements are the words
// of `elements`; one whose variables are all empty is left out, but for user=<>. Unknown variables stand as they are.
// `text` is what happened ("Login"); it is %$ in `format`, and the elements are %s there.
std::string login_log_line(std::string_view format, std::string_view elements, std::string_view text,
                           const LoginLogFields& fields);

}  // namespace culver
