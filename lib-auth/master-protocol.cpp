#include "lib-auth/master-protocol.h"

#include <fmt/format.h>

#include "lib-auth/auth-fields.h"
#include "lib-base/text.h"

namespace culver::master_protocol {

std::string lookup_line(std::string_view command, std::uint32_t id, const UserLookup& lookup) {
    std::string line = fmt::format("{}\t{}\t{}", command, id, tab_escape(lookup.username));
    append_auth_field_if_any(line, "service", lookup.service.empty() ? "culver" : lookup.service);
    append_auth_field_if_any(line, "lip", lookup.local_ip);
    append_auth_field_if_any(line, "rip", lookup.remote_ip);
    append_auth_field_if_any(line, "session", lookup.session);
    line += '\n';
    return line;
}

std::string request_line(std::uint32_t id, const LoginTicket& ticket) {
    std::string line =
        fmt::format("REQUEST\t{}\t{}\t{}\t{}", id, ticket.client_pid, ticket.auth_id, tab_escape(ticket.cookie));
    if (ticket.session_pid) line += fmt::format("\tsession_pid={}", *ticket.session_pid);
    line += '\n';
    return line;
}

Status check_greeting(const std::vector<std::string_view>& fields) {
    if (fields[0] == "VERSION" && (fields.size() < 2 || fields[1] != "1"))
        return fail(ErrorCode::Unavailable, "the auth socket speaks another version of the protocol");
    if (fields[0] == "MECH")
        return fail(ErrorCode::Unavailable,
                    "this is an auth client socket, an auth-userdb or auth-master one is needed");
    return {};
}

Result<std::optional<UserRecord>> parse_reply(const std::vector<std::string_view>& fields) {
    if (fields[0] == "NOTFOUND") return std::optional<UserRecord>();
    std::size_t first_field = fields[0] == "USER" ? 3 : 2;
    if (fields[0] == "FAIL") {
        std::string reason;
        for (std::size_t i = 2; i < fields.size(); ++i)
            if (fields[i].starts_with("reason=")) reason = tab_unescape(fields[i].substr(7));
        return fail(ErrorCode::Unavailable, reason.empty() ? "auth internal failure" : reason);
    }
    if ((fields[0] != "USER" && fields[0] != "PASS") || fields.size() < first_field)
        return fail(ErrorCode::Unavailable, fmt::format("unexpected reply of the auth process: {}", fields[0]));
    UserRecord record;
    if (first_field == 3) record.username = tab_unescape(fields[2]);
    for (std::size_t i = first_field; i < fields.size(); ++i) {
        if (fields[i].empty()) continue;
        std::size_t equals = fields[i].find('=');
        record.fields.emplace_back(fields[i].substr(0, equals), equals == std::string_view::npos
                                                                    ? std::string()
                                                                    : tab_unescape(fields[i].substr(equals + 1)));
    }
    if (first_field == 2)
        if (const std::string* user = record.find("user")) record.username = *user;
    return std::optional<UserRecord>(std::move(record));
}

}  // namespace culver::master_protocol
