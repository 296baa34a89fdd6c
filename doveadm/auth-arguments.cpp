#include "doveadm/auth-arguments.h"

#include <fmt/format.h>

#include "doveadm/password-prompt.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"
#include "lib-net/socket.h"

namespace culver::doveadm {

namespace {

// A bare key is printed bare; these are names, and an empty name is a value.
std::string field_text(const std::string& key, const std::string& value) {
    const bool is_name = key == "user" || key == "original_user" || key == "auth_user";
    return value.empty() && !is_name ? key : key + "=" + value;
}

}  // namespace

int check_auth_info(const Invocation& call) {
    for (const std::string& word : call.options('x')) {
        const std::size_t equals = word.find('=');
        const std::string key = word.substr(0, equals);
        const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
        const bool is_address = key == "lip" || key == "rip", is_port = key == "lport" || key == "rport";
        const auto port = parse_uint32(value);
        const bool is_good = is_address ? IpAddress::parse(value).has_value() : !is_port || (port && *port <= 65535);
        if (is_good) continue;
        call.fatal(fmt::format("{}: Invalid {}", key, is_address ? "ip" : "port number"));
        return kExitTemporary;
    }
    return kExitOk;
}

AuthStart auth_start(const Invocation& call) {
    AuthStart start;
    start.service = "doveadm";
    for (const std::string& word : call.options('x')) {
        const std::size_t equals = word.find('=');
        const std::string key = word.substr(0, equals);
        const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
        if (key == "service") start.service = value;
        else if (key == "lip") start.local_ip = value;
        else if (key == "rip") start.remote_ip = value;
        else if (key == "lport") start.local_port = static_cast<std::uint16_t>(parse_uint32(value).value_or(0));
        else if (key == "rport") start.remote_port = static_cast<std::uint16_t>(parse_uint32(value).value_or(0));
        else if (key == "session") start.session = value;
        else if (key == "local_name") start.local_name = value;
        else if (key == "client_id") start.client_id = value;
        else if (key == "cert_username") start.cert_username = value;
        else if (key == "secured") start.secured = true;
        else if (key == "valid-client-cert") start.valid_client_cert = true;
    }
    return start;
}

UserLookup user_lookup(const Invocation& call, const std::string& user) {
    const AuthStart start = auth_start(call);
    return UserLookup{user, start.service, start.local_ip, start.remote_ip, start.session};
}

Result<LoginAttempt> log_in(const std::string& socket_path, const AuthStart& start, const std::string& user,
                            const std::string& master_user, const SecretString& password) {
    // AuthClient would try again for ever; a person wants to know now.
    if (auto reachable = connect_unix(socket_path, Blocking::Yes); !reachable)
        return fail(ErrorCode::Unavailable, reachable.error().detail);
    EventLoop loop;
    LoginAttempt attempt;
    attempt.reply.code = "temp_fail";
    std::unique_ptr<AuthClient> client;
    bool sent = false;
    auto send = [&] {
        if (sent || !client || !client->is_connected()) return;
        sent = true;
        AuthStart request = start;
        request.mechanism = "PLAIN";
        std::string message =
            (master_user.empty() ? "" : user) + '\0' + (master_user.empty() ? user : master_user) + '\0';
        message += password.reveal();
        request.initial_response = SecretString(message);
        ::explicit_bzero(message.data(), message.size());
        attempt.ticket.auth_id = client->start(request, [&](const AuthReply& reply) {
            attempt.reply = reply;
            attempt.ticket.client_pid = client->client_pid();
            attempt.ticket.cookie = client->cookie();
            loop.stop();
        });
    };
    client = std::make_unique<AuthClient>(loop, socket_path, [&](bool connected) {
        if (connected) send();
        else loop.stop();
    });
    loop.after(std::chrono::seconds(160), [&] { loop.stop(); });
    loop.run();
    if (!sent) return fail(ErrorCode::Unavailable, fmt::format("{}: no answer", socket_path));
    return attempt;
}

std::optional<LoginAttempt> attempt_login(Invocation& call, std::string_view socket, int& code) {
    const auto& arguments = call.arguments();
    code = arguments.empty() ? call.usage() : check_auth_info(call);
    if (code != kExitOk) return std::nullopt;
    if (arguments.size() > 2) {
        call.error(fmt::format("Extraneous arguments found: {}", arguments[2]));
        code = kExitUsage;
        return std::nullopt;
    }
    const SecretString password = arguments.size() > 1 ? SecretString(arguments[1]) : ask_password("Password: ");
    auto attempt = log_in(call.socket_path(call.option('a').value_or(std::string(socket))), auth_start(call),
                          arguments[0], call.option('M').value_or(""), password);
    if (!attempt) {
        call.fatal(attempt.error().detail);
        code = kExitTemporary;
        return std::nullopt;
    }
    code = print_verdict(arguments[0], attempt->reply);
    return std::move(*attempt);
}

int print_verdict(const std::string& user, const AuthReply& reply) {
    const bool ok = reply.kind == AuthReply::Kind::Ok;
    print(fmt::format("passdb: {} auth {}\nextra fields:\n", user, ok ? "succeeded" : "failed"));
    for (const auto& [key, value] : reply.fields) print(fmt::format("  {}\n", field_text(key, value)));
    if (ok) return kExitOk;
    return reply.code == "temp_fail" ? kExitTemporary : kExitNoPermission;
}

void print_record(std::string_view kind, const std::string& user, const UserRecord& record) {
    print(fmt::format("{}: {}\n", kind, user));
    print(fmt::format("  {:<10}: {}\n", "user", record.username.empty() ? user : record.username));
    for (const auto& [key, value] : record.fields) {
        if (key == "user") continue;
        if (value.empty()) print(fmt::format("  {:<10}\n", key));
        else print(fmt::format("  {:<10}: {}\n", key, value));
    }
}

}  // namespace culver::doveadm
