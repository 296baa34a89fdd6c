// doveadm user: what the user databases say of a user, with the configuration's defaults filled in.
#include <fmt/format.h>

#include <cstdio>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "lib-auth/wildcard.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver::doveadm {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

bool is_mask(std::string_view user) { return user.find_first_of("*?") != user.npos; }

std::string value_or(const UserRecord& record, std::string_view key, const std::string& fallback) {
    const std::string* value = record.find(key);
    return value ? *value : fallback;
}

UserVariables variables_of(const Invocation& call, const UserRecord& record) {
    const UserLookup lookup = user_lookup(call, record.username);
    UserVariables variables;
    variables.user = record.username;
    variables.uid = value_or(record, "uid", call.settings()->string("mail_uid"));
    variables.gid = value_or(record, "gid", call.settings()->string("mail_gid"));
    variables.service = lookup.service;
    variables.local_ip = lookup.local_ip;
    variables.remote_ip = lookup.remote_ip;
    return variables;
}

// The name if it is not the one asked for, uid, gid, home, mail, then whatever else the databases returned.
Result<Fields> complete(const Invocation& call, const std::string& asked, const UserRecord& record) {
    UserVariables variables = variables_of(call, record);
    Fields fields;
    if (!record.username.empty() && record.username != asked) fields.emplace_back("user", record.username);
    fields.emplace_back("uid", variables.uid);
    fields.emplace_back("gid", variables.gid);
    if (const std::string* home = record.find("home")) variables.home = *home;
    else variables.home = TRY(expand_variables(call.settings()->string("mail_home"), variables.lookup()));
    fields.emplace_back("home", variables.home);
    fields.emplace_back("mail", TRY(expand_variables(value_or(record, "mail", call.settings()->string("mail_location")),
                                                     variables.lookup())));
    for (const auto& [key, value] : record.fields)
        if (key != "uid" && key != "gid" && key != "home" && key != "mail") fields.emplace_back(key, value);
    return fields;
}

int print_expanded(Invocation& call, const UserRecord& record, const std::string& text) {
    UserVariables variables = variables_of(call, record);
    if (auto fields = complete(call, record.username, record)) variables.home = (*fields)[2].second;
    auto expanded = expand_variables(text, variables.lookup());
    if (!expanded) {
        call.error(expanded.error().detail);
        return kExitTemporary;
    }
    print(*expanded + "\n");
    return kExitOk;
}

int print_user(Invocation& call, const std::string& user, const UserRecord& record) {
    if (const auto text = call.option('e')) return print_expanded(call, record, *text);
    const auto field = call.option('f');
    if (call.has('u')) {
        if (!field) print_record("userdb", user, record);
        else if (const std::string* value = record.find(*field)) print(*value + "\n");
        return kExitOk;
    }
    auto fields = complete(call, user, record);
    if (!fields) {
        call.error(fields.error().detail);
        return kExitTemporary;
    }
    for (const auto& [key, value] : *fields) {
        if (!field) call.out().row({key, value});
        else if (key == *field) print(value + "\n");
    }
    return kExitOk;
}

int list_users(Invocation& call, AuthMasterClient& client) {
    auto users = client.list_users(auth_start(call).service);
    if (!users) {
        call.error(users.error().detail);
        call.fatal("user listing failed");
        return kExitTemporary;
    }
    for (const std::string& user : *users) {
        for (const std::string& mask : call.arguments()) {
            if (!matches_wildcard(to_lower(mask), to_lower(user))) continue;
            print(user + "\n");
            break;
        }
    }
    return kExitOk;
}

// Looks users up one after another. Scripts read what Dovecot prints: the rows of all users, and a stream of messages
// with an empty line between users, which a table, printed at the end, comes behind.
class Lookups {
public:
    explicit Lookups(Invocation& call)
        : call_(call),
          client_(call.socket_path(call.option('a').value_or(call.settings()->string("auth_socket_path")))),
          has_rows_(!call.has('e') && !call.has('f') && !call.has('u')) {}

    int run() {
        for (const std::string& user : call_.arguments())
            if (is_mask(user)) return list_users(call_, client_);
        if (has_rows_) call_.out().columns({{"field", ""}, {"value", ""}});
        for (const std::string& user : call_.arguments()) {
            if (&user != &call_.arguments().front()) say("\n");
            const int one = look_up(user);
            if (one != kExitOk && code_ != kExitTemporary) code_ = one;
        }
        const bool is_table = call_.global().formatter == "table";
        if (has_rows_ && !is_table) call_.out().finish();
        print(messages_);
        return code_;
    }

private:
    int look_up(const std::string& user) {
        auto record = client_.lookup_user(user_lookup(call_, user));
        if (!record) {
            call_.error(fmt::format("userdb lookup failed for {}: {}", user, record.error().detail));
            return kExitTemporary;
        }
        if (*record) return print_user(call_, user, **record);
        const std::string text = fmt::format("userdb lookup: user {} doesn't exist\n", user);
        if (has_rows_) say("\n" + text);
        else if (call_.has('u')) print(text);
        else std::fputs(("\n" + text).c_str(), stderr);
        return kExitNoUser;
    }

    void say(const std::string& text) {
        if (has_rows_) messages_ += text;
        else print(text);
    }

    Invocation& call_;
    AuthMasterClient client_;
    const bool has_rows_;
    std::string messages_;
    int code_ = kExitOk;
};

int run(Invocation& call) {
    if (call.arguments().empty()) return call.usage();
    if (const int bad = check_auth_info(call); bad != kExitOk) return bad;
    return Lookups(call).run();
}

}  // namespace

const CommandSpec kUser = {
    .words = "user",
    .synopsis =
        "[-a <userdb socket path>] [-x <auth info>] [-f field] [-e <value>] [-u] <user mask> [<user mask> [...]]",
    .help = "Looks users up in the user databases, or lists those whose names match a mask with * and ?.",
    .options = {{'a', "userdb socket path", "The userdb socket of the auth service"},
                kAuthInfoOption,
                {'f', "field", "Print only this field's value"},
                {'e', "value", "Print this text with its %variables expanded"},
                {'u', "", "Only what the user databases say, without the configuration's defaults"}},
    .formatter = "tab",
    .run = run,
};

}  // namespace culver::doveadm
