#include "authd/auth-line.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kForwardLimit = 64;
}

bool set_request_field(AuthRequest& request, std::string_view key, std::string_view value) {
    struct Field {
        std::string_view key;
        std::string AuthRequest::*member;
    };
    static constexpr Field kFields[] = {
        {"service", &AuthRequest::service},
        {"rip", &AuthRequest::remote_ip},
        {"lip", &AuthRequest::local_ip},
        {"rport", &AuthRequest::remote_port},
        {"lport", &AuthRequest::local_port},
        {"session", &AuthRequest::session},
        {"real_rip", &AuthRequest::real_remote_ip},
        {"real_lip", &AuthRequest::real_local_ip},
        {"local_name", &AuthRequest::local_name},
        {"client_id", &AuthRequest::client_id},
        {"cert_username", &AuthRequest::cert_username},
    };
    for (const Field& field : kFields) {
        if (field.key != key) continue;
        request.*field.member = tab_unescape(value);
        return true;
    }
    if (key == "forward_fields") {
        // Under a prefix of their own: what a proxy in front forwards never takes the place of a database's field.
        const std::string fields = tab_unescape(value);
        for (std::string_view field : split(fields, '\t')) {
            if (field.empty() || request.fields.size() >= kForwardLimit) continue;
            std::size_t equals = field.find('=');
            request.fields.set(fmt::format("forward_{}", field.substr(0, equals)),
                               equals == field.npos ? std::string_view() : field.substr(equals + 1),
                               equals != field.npos);
        }
        return true;
    }
    if (key == "secured") {
        request.secured = true;
        request.secured_by_tls = value == "tls";
    } else if (key == "nologin") request.no_login = true;
    else if (key == "no-penalty") request.no_penalty = true;
    else if (key == "valid-client-cert") request.valid_client_cert = true;
    else return false;
    return true;
}

namespace {
// `tls-exporter=` and `tls-server-end-point=`: hex of a hash's size. Nothing: another key.
std::optional<Status> set_channel_binding(AuthRequest& request, std::string_view key, std::string_view value) {
    std::string* member = key == "tls-exporter"           ? &request.tls_exporter
                          : key == "tls-server-end-point" ? &request.tls_server_end_point
                                                          : nullptr;
    if (!member) return std::nullopt;
    auto bytes = hex_decode(value);
    if (!bytes || bytes->size() < 16 || bytes->size() > 64)
        return fail(ErrorCode::InvalidArgument, "invalid channel binding");
    *member = std::move(*bytes);
    return Status();
}
}  // namespace

namespace {
Status parse_auth_line(std::string_view line, unsigned minor_version, AuthLine& out) {
    std::size_t position = 0;
    auto next = [&]() -> std::optional<std::string_view> {
        if (position > line.size()) return std::nullopt;
        std::size_t tab = std::min(line.find('\t', position), line.size());
        std::string_view field = line.substr(position, tab - position);
        position = tab + 1;
        return field;
    };
    next();  // the command
    auto id = next(), mechanism = next();
    auto number = id ? parse_uint32(*id) : std::nullopt;
    if (!number || *number == 0 || !mechanism)
        return fail(ErrorCode::InvalidArgument, "AUTH request had no valid id or mechanism");
    out.id = *number;
    out.auth.mechanism = to_upper(*mechanism);
    while (auto field = next()) {
        if (field->empty()) continue;
        std::size_t equals = field->find('=');
        std::string_view key = field->substr(0, equals);
        std::string_view value = equals == field->npos ? std::string_view() : field->substr(equals + 1);
        if (key == "resp") {
            if (position <= line.size())
                return fail(ErrorCode::InvalidArgument, "resp= isn't the last parameter of AUTH");
            // "=": there and empty. Nothing: absent for old clients, there and empty for those that know
            // "final-resp-ok".
            if (value == "=") out.base64_response = "";
            else if (!value.empty() || minor_version >= 2) out.base64_response = std::string(value);
            continue;
        }
        if (auto status = set_channel_binding(out.auth, key, value)) TRY(std::move(*status));
        else if (key == "final-resp-ok") out.final_response_ok = true;
        else set_request_field(out.auth, key, value);
    }
    if (out.auth.service.empty()) return fail(ErrorCode::InvalidArgument, "AUTH request had no service");
    return {};
}
}  // namespace

Result<AuthLine> parse_auth_line(std::string_view line, unsigned minor_version) {
    Result<AuthLine> out(std::in_place);  // filled where it is returned: a request has some twenty strings to move
    if (auto status = parse_auth_line(line, minor_version, *out); !status) out = fail(status.error());
    return out;
}

}  // namespace culver
