// doveadm user: what the user databases say of a user, with the configuration's defaults filled in.
#include <fmt/format.h>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "lib-auth/wildcard.h"
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

// uid, gid, home, mail, then whatever else the databases returned.
Result<Fields> complete(const Invocation& call, const UserRecord& record) {
    UserVariables variables = variables_of(call, record);
    Fields fields = {{"uid", variables.uid}, {"gid", variables.gid}};
    if (const std::string* home = record.find("home")) variables.home = *home;
    else variables.home = TRY(expand_variables(call.settings()->string("mail_home"), variables.lookup()));
    fields.emplace_back("home", variables.home);
    fields.emplace_back("mail", TRY(expand_variables(value_or(record, "mail", call.settings()->string("mail_location")),
                                                     variables.lookup())));
    for (const auto& [key, value] : record.fields)
        if (key != "uid" && key != "gid" && key != "home" && key != "mail") fields.emplace_back(key, value);
    return fields;
}

int print_expanded(Invocation& call, const UserRecord& record, const std::vector<std::string>& templates) {
    UserVariables variables = variables_of(call, record);
    if (auto fields = complete(call, record)) variables.home = (*fields)[2].second;
    for (const std::string& text : templates) {
        auto expanded = expand_variables(text, variables.lookup());
        if (!expanded) {
            call.error(expanded.error().detail);
            return kExitTemporary;
        }
        print(*expanded + "\n");
    }
    return kExitOk;
}

int print_user(Invocation& call, const std::string& user, const UserRecord& record) {
    if (const auto templates = call.options('e'); !templates.empty()) return print_expanded(call, record, templates);
    const auto field = call.option('f');
    if (call.has('u')) {
        if (!field) print_record("userdb", user, record);
        else if (const std::string* value = record.find(*field)) print(*value + "\n");
        return kExitOk;
    }
    auto fields = complete(call, record);
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
            if (!matches_wildcard(mask, user)) continue;
            print(user + "\n");
            break;
        }
    }
    return kExitOk;
}

int run(Invocation& call) {
    if (call.arguments().empty()) return call.usage();
    AuthMasterClient client(call.socket_path(call.option('a').value_or(call.settings()->string("auth_socket_path"))));
    for (const std::string& user : call.arguments())
        if (is_mask(user)) return list_users(call, client);
    const bool is_table = !call.has('e') && !call.has('f') && !call.has('u');
    if (is_table) call.out().columns({{"field", ""}, {"value", ""}});
    int code = kExitOk;
    std::string missing;
    for (const std::string& user : call.arguments()) {
        auto record = client.lookup_user(user_lookup(call, user));
        if (!record) {
            call.error(fmt::format("userdb lookup failed for {}: {}", user, record.error().detail));
            code = kExitTemporary;
        } else if (!*record) {
            missing += fmt::format("{}userdb lookup: user {} doesn't exist\n", is_table ? "\n" : "", user);
            if (code == kExitOk) code = kExitNoUser;
        } else {
            const int result = print_user(call, user, **record);
            if (result != kExitOk) code = result;
        }
    }
    // The table's header stands before the messages, also when there is no row. Other formatters collect: theirs come
    // last.
    const std::string& formatter = call.global().formatter;
    if (is_table && !missing.empty() && (formatter.empty() || formatter == "tab")) call.out().finish();
    print(missing);
    return code;
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
                {'e', "value", "Print this text with its %variables expanded; may be repeated"},
                {'u', "", "Only what the user databases say, without the configuration's defaults"}},
    .formatter = "tab",
    .run = run,
};

}  // namespace culver::doveadm
