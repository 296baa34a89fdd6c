// check_settings: what will fail later, said at the start.
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "lib-base/text.h"
#include "lib-config/checks.h"
#include "lib-config/variables.h"

namespace culver {

std::vector<Diagnostic> check_settings(const Settings& settings) {
    config::Findings out(settings);
    config::check_protocols(settings, out);
    config::check_databases(settings, out);
    config::check_mail(settings, out);
    config::check_ssl(settings, out);
    config::check_listeners(settings, out);
    return out.take();
}

namespace config {

void Findings::error(SettingOrigin where, std::string text, std::string hint) {
    found_.push_back({Severity::Error, std::move(where), std::move(text), std::move(hint)});
}

void Findings::warning(SettingOrigin where, std::string text, std::string hint) {
    found_.push_back({Severity::Warning, std::move(where), std::move(text), std::move(hint)});
}

void Findings::about_file(Severity severity, const SettingOrigin& where, const std::string& text, std::string hint) {
    found_.push_back(
        {severity, where, fmt::format("{} line {}: {}", where.file, where.line, text), std::move(hint), true});
}

std::string Findings::in_file(const std::string& snippet) const {
    const std::string& main = settings_.config_path();
    if (snippet.empty()) return " in " + main;
    std::string split = main.substr(0, main.rfind('/') + 1) + "conf.d/" + snippet;
    return " in " + (access(split.c_str(), F_OK) == 0 ? split : main);
}

bool user_exists(const std::string& name) { return parse_uint32(name) || getpwnam(name.c_str()) != nullptr; }
bool group_exists(const std::string& name) { return parse_uint32(name) || getgrnam(name.c_str()) != nullptr; }

void check_protocols(const Settings& settings, Findings& out) {
    auto protocols = settings.words("protocols");
    if (protocols.empty()) {
        out.warning(settings.origin("protocols"), "protocols is empty: no mail client and no Postfix can connect",
                    "write protocols = imap lmtp" + out.in_file({}));
        return;
    }
    for (const auto& protocol : protocols) {
        if (protocol == "imap" || protocol == "lmtp" || protocol == "none") continue;
        out.warning(settings.origin("protocols"),
                    fmt::format("protocols: Culver does not serve {} yet; its ports stay closed", protocol),
                    fmt::format("remove {} from protocols", protocol));
    }
}

namespace {

constexpr std::array<std::string_view, 9> kPassDbs = {"checkpassword", "ldap",   "oauth2", "pam",   "passwd",
                                                      "passwd-file",   "shadow", "sql",    "static"};
constexpr std::array<std::string_view, 7> kUserDbs = {"checkpassword", "ldap", "passwd", "passwd-file",
                                                      "prefetch",      "sql",  "static"};
// Dovecot's own, of which Culver has no implementation, and what does the same here.
struct OtherDb {
    std::string_view driver, cure;
};
constexpr std::array<OtherDb, 8> kOtherDbs = {{
    {"bsdauth", "use driver = pam"},
    {"cdb", "use driver = passwd-file, which keeps a million users in memory"},
    {"dict", "put the values into SQLite (driver = sql), or let a program ask for them (driver = checkpassword)"},
    {"imap", "use driver = checkpassword with a program that logs in there, or driver = static with proxy and host"},
    {"lua", "use sql or ldap with %variables, or driver = checkpassword, whose program may do what the script does"},
    {"nss", "use driver = passwd, which asks NSS"},
    {"sia", "use driver = pam"},
    {"vpopmail", "use driver = checkpassword with vchkpw, or export the users to a passwd-file"},
}};

bool holds(const auto& list, std::string_view word) { return std::ranges::find(list, word) != std::ranges::end(list); }

void check_driver(std::string_view kind, const std::string& driver, const SettingOrigin& where, bool known,
                  Findings& out) {
    if (known) return;
    std::string drivers = kind == "passdb"
                              ? "checkpassword, ldap, oauth2, pam, passwd, passwd-file, shadow, sql or static"
                              : "checkpassword, ldap, passwd, passwd-file, prefetch, sql or static";
    auto other = std::ranges::find(kOtherDbs, driver, &OtherDb::driver);
    if (other != kOtherDbs.end())
        out.error(where, fmt::format("{}: Culver does not have the driver {}", kind, driver), std::string(other->cure));
    else out.error(where, fmt::format("Unknown {} driver '{}'", kind, driver), "write driver = " + drivers);
}

// checkpassword: the program must be there. (Whether auth's user may run it shows only at the first login.)
void check_program(std::string_view kind, std::string_view args, const SettingOrigin& where, Findings& out) {
    args = trim(args);
    std::string path(args.substr(0, args.find(' ')));
    if (!path.starts_with('/'))
        out.error(where, fmt::format("{} checkpassword: args do not begin with the path of a program", kind),
                  "write args = /path/of/program [arguments]");
    else if (path.find('%') == path.npos && access(path.c_str(), X_OK) != 0)
        out.error(where, fmt::format("{} checkpassword: {} cannot be run: {}", kind, path, std::strerror(errno)),
                  "correct args, or chmod 755 the program");
}

// "uid=" among blank-separated fields.
bool has_field(std::string_view fields, std::string_view name) {
    return std::ranges::any_of(split_words(fields), [&](std::string_view word) {
        return word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=';
    });
}

struct FileArguments {
    std::string scheme = "CRYPT", path;
};

FileArguments parse_file_arguments(std::string_view args) {
    FileArguments out;
    while (args.starts_with("scheme=") || args.starts_with("username_format=")) {
        auto end = args.find(' ');
        if (args.starts_with("scheme=")) out.scheme = args.substr(7, end == std::string_view::npos ? end : end - 7);
        args = end == std::string_view::npos ? std::string_view() : trim(args.substr(end));
    }
    out.path = args;
    return out;
}

void check_file_database(std::string_view kind, const std::string& args, const SettingOrigin& where,
                         PasswordFileUse use, bool gives_uid, const Settings& settings, Findings& out) {
    auto file = parse_file_arguments(args);
    if (file.path.empty())
        return out.error(where, fmt::format("{} with driver passwd-file names no file", kind),
                         "write args = scheme=SHA512-CRYPT /etc/dovecot/users");
    if (file.path.find('%') == std::string::npos)
        check_password_file(where, file.path, file.scheme, use, gives_uid, settings, out);
}

bool userdb_gives(const UserDbSettings& db, std::string_view field) {
    return has_field(db.args, field) || has_field(db.default_fields, field) || has_field(db.override_fields, field);
}

// Whether every user has a field: from this database, or from the global setting.
bool may_give(const Settings& settings, std::string_view field) {
    return std::ranges::any_of(settings.userdbs(), [&](const UserDbSettings& db) {
        return db.driver == "passwd" || db.driver == "prefetch" || db.driver == "passwd-file" || db.driver == "sql" ||
               db.driver == "ldap" || userdb_gives(db, field) || !holds(kUserDbs, db.driver);
    });
}

void check_account(const Settings& settings, const char* name, const char* first, const char* last, bool exists,
                   std::optional<std::uint32_t> number, Findings& out) {
    const std::string& value = settings.string(name);
    bool is_group = std::string_view(name) == "mail_gid";
    if (!exists) {
        std::string make = is_group ? "groupadd --system " + value
                                    : fmt::format("useradd --system --create-home --home-dir /var/{0} {0}", value);
        return out.error(settings.origin(name),
                         fmt::format("{}: there is no {} {}", name, is_group ? "group" : "user", value),
                         "create it: " + make);
    }
    if (!number) return;
    auto low = settings.number(first), high = settings.number(last);
    if (*number < low || (high != 0 && *number > high)) {
        bool too_low = *number < low;
        out.error(settings.origin(name),
                  fmt::format("{} = {} ({}) is outside {}..{}: nobody can log in", name, value, *number, first, last),
                  fmt::format("write {} = {}{}", too_low ? first : last, *number, out.in_file("10-mail.conf")));
    }
}

void check_owner(const Settings& settings, Findings& out) {
    const std::string& uid = settings.string("mail_uid");
    const std::string& gid = settings.string("mail_gid");
    if (uid.empty()) {
        if (!may_give(settings, "uid"))
            out.error(settings.origin("mail_uid"),
                      "User is missing UID (see mail_uid setting): nobody can read or get mail",
                      "write mail_uid = vmail and mail_gid = vmail" + out.in_file("10-mail.conf") +
                          ", or give uid= and gid= in a userdb block");
    } else {
        auto number = parse_uint32(uid);
        if (const passwd* entry = number ? nullptr : getpwnam(uid.c_str())) number = entry->pw_uid;
        check_account(settings, "mail_uid", "first_valid_uid", "last_valid_uid", number.has_value(), number, out);
    }
    if (gid.empty()) {
        if (!uid.empty() && !may_give(settings, "gid"))
            out.error(settings.origin("mail_gid"), "User is missing GID (see mail_gid setting)",
                      "write mail_gid = " + uid + out.in_file("10-mail.conf"));
        return;
    }
    auto number = parse_uint32(gid);
    if (const group* entry = number ? nullptr : getgrnam(gid.c_str())) number = entry->gr_gid;
    check_account(settings, "mail_gid", "first_valid_gid", "last_valid_gid", number.has_value(), number, out);
}

// A template that cannot be expanded for any user.
void check_template(const Settings& settings, const char* name, const std::string& text, Findings& out) {
    UserVariables sample;
    sample.user = "user@example.org";
    sample.home = "/home/user";
    sample.uid = sample.gid = "1000";
    sample.service = "imap";
    if (auto made = expand_variables(text, sample.lookup()); !made)
        out.error(settings.origin(name), fmt::format("{}: {}", name, made.error().detail),
                  "%u is the user, %n the part before the @, %d the part behind it, %% a percent sign");
}

}  // namespace

void check_databases(const Settings& settings, Findings& out) {
    bool any = std::ranges::any_of(settings.passdbs(), [](const auto& db) { return !db.master && !db.deny; });
    if (!any) {
        std::string mechanism =
            to_upper(settings.words("auth_mechanisms").empty() ? "plain" : settings.words("auth_mechanisms")[0]);
        out.error({}, fmt::format("No passdbs specified in configuration file. {} mechanism needs one", mechanism),
                  "write a passdb block" + out.in_file("10-auth.conf") +
                      " with driver = passwd-file and args = /etc/dovecot/users in it");
    }
    for (const auto& db : settings.passdbs()) {
        check_driver("passdb", db.driver, db.origin, holds(kPassDbs, db.driver), out);
        if (db.driver == "passwd-file")
            check_file_database("passdb", db.args, db.origin, PasswordFileUse::Passwords, true, settings, out);
        if (db.driver == "checkpassword") check_program("passdb", db.args, db.origin, out);
        if (db.driver == "pam" && access("/etc/pam.d/dovecot", F_OK) != 0 && parse_file_arguments(db.args).path.empty())
            out.warning(db.origin, "PAM has no service \"dovecot\": /etc/pam.d/dovecot does not exist",
                        "create it with the lines @include common-auth and @include common-account");
    }
    for (const auto& db : settings.userdbs()) {
        check_driver("userdb", db.driver, db.origin, holds(kUserDbs, db.driver), out);
        if (db.driver == "checkpassword") check_program("userdb", db.args, db.origin, out);
        if (db.driver == "passwd-file") {
            bool uid = userdb_gives(db, "uid") || !settings.string("mail_uid").empty();
            check_file_database("userdb", db.args, db.origin, PasswordFileUse::Users, uid, settings, out);
        }
    }
}

void check_mail(const Settings& settings, Findings& out) {
    check_owner(settings, out);
    const std::string& location = settings.string("mail_location");
    const std::string& home = settings.string("mail_home");
    check_template(settings, "mail_home", home, out);
    check_template(settings, "mail_location", location, out);
    bool has_home = !home.empty() || may_give(settings, "home");
    if (location.empty()) {
        bool elsewhere =
            std::ranges::any_of(settings.namespaces(), [](const auto& each) { return !each.location.empty(); }) ||
            std::ranges::any_of(settings.userdbs(), [](const auto& db) { return userdb_gives(db, "mail"); });
        std::string hint = "write mail_location = maildir:~/Maildir" + out.in_file("10-mail.conf");
        if (!elsewhere && !has_home)
            out.error(settings.origin("mail_location"),
                      "mail_location not set and autodetection failed: Mail storage "
                      "autodetection failed with home=(not set)",
                      hint + ", and mail_home = /var/vmail/%d/%n");
        else if (!elsewhere)
            out.warning(settings.origin("mail_location"),
                        "mail_location is not set: who has no mail in the home yet cannot log in", hint);
        return;
    }
    auto driver = location.substr(0, location.find(':'));
    static constexpr std::array<std::string_view, 6> kOther = {"mbox", "mdbox", "sdbox", "dbox", "imapc", "pop3c"};
    if (holds(kOther, driver))
        out.error(settings.origin("mail_location"), fmt::format("mail_location: Culver does not read {} yet", driver),
                  "write mail_location = maildir:~/Maildir; doveadm sync of an installed Dovecot converts the mail");
    if (!has_home && (location.find('~') != std::string::npos || location.find("%h") != std::string::npos))
        out.error(settings.origin("mail_location"), "mail_location begins in the home, but users have none",
                  "write mail_home = /var/vmail/%d/%n" + out.in_file("10-mail.conf"));
    auto inboxes =
        std::ranges::count_if(settings.namespaces(), [](const auto& each) { return each.inbox && !each.disabled; });
    if (!settings.namespaces().empty() && inboxes != 1)
        out.error(settings.namespaces().front().origin,
                  inboxes == 0 ? "namespace configuration error: inbox=yes namespace missing"
                               : "namespace configuration error: There can be only one namespace with inbox=yes",
                  "write inbox = yes in exactly one namespace block");
}

void check_listeners(const Settings& settings, Findings& out) {
    bool root = geteuid() == 0;
    for (const char* name : {"default_internal_user", "default_login_user"})
        if (root && !user_exists(settings.string(name)))
            out.error(settings.origin(name), fmt::format("{} doesn't exist: {}", name, settings.string(name)),
                      fmt::format("create it: useradd --system --no-create-home --shell /usr/sbin/nologin {}",
                                  settings.string(name)));
    auto protocols = settings.words("protocols");
    for (const auto& service : settings.services()) {
        bool runs = service.name == "auth" || ((service.protocol == "imap" || service.protocol == "lmtp") &&
                                               std::ranges::find(protocols, service.protocol) != protocols.end());
        if (!runs) continue;
        for (const auto& listener : service.listeners) {
            if (listener.kind == ListenerKind::Inet || listener.mode == 0) continue;
            std::string what = fmt::format("service {} {{ unix_listener {} }}", service.name, listener.name);
            if (root && !listener.user.empty() && !user_exists(listener.user))
                out.error(listener.origin, fmt::format("{}: there is no user {}", what, listener.user),
                          "install the program that the socket is for, or write another user");
            if (root && !listener.group.empty() && !group_exists(listener.group))
                out.error(listener.origin, fmt::format("{}: there is no group {}", what, listener.group),
                          "install the program that the socket is for, or write another group");
            if (listener.name.starts_with('/') && listener.name.size() > 107)
                out.error(listener.origin, what + ": the path is longer than the 107 bytes that a socket may have",
                          "use a shorter path");
            std::string parent = listener.name.substr(0, listener.name.rfind('/') + 1);
            struct stat info;
            if (listener.name.starts_with('/') && stat(parent.c_str(), &info) != 0)
                out.warning(listener.origin, fmt::format("{}: there is no directory {} yet", what, parent),
                            "the socket is made as soon as the directory is there");
        }
    }
}

}  // namespace config

}  // namespace culver
