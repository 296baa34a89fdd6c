// doveadm auth explain: walks the road of a login step by step and says in words what would happen and what to mend.
//
// The databases are asked here and not by authd, each for itself, so that each answer can be shown; it needs the rights
// to read them.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver::doveadm {

namespace {

std::string_view describe(UserResult::Kind kind) {
    switch (kind) {
        case UserResult::Kind::Found: return "found";
        case UserResult::Kind::NotFound: return "does not know this user";
        case UserResult::Kind::InternalFailure: return "could not tell (see the error above)";
    }
    return "";
}

std::string where(const SettingOrigin& origin) { return origin.file.empty() ? "" : " (" + origin.to_string() + ")"; }

class Road {
public:
    Road(Invocation& call, const std::string& name)
        : call_(call), name_(name), settings_(AuthSettings::from(*call.settings())) {}

    int walk() {
        auto engine = AuthEngine::create(settings_, context_);
        if (!engine) {
            say("The configuration lets nobody log in: " + engine.error().detail);
            return kExitConfiguration;
        }
        AuthStart start = auth_start(call_);
        request_.service = start.service == "doveadm" ? "imap" : start.service;
        request_.remote_ip = start.remote_ip;
        request_.local_ip = start.local_ip;
        if (auto named = (*engine)->set_user(request_, name_); !named) {
            say("The name is refused before any database is asked: " + named.error().detail);
            return kExitNoUser;
        }
        say(fmt::format("name: {} becomes {} (auth_username_format = {})", name_, request_.user,
                        settings_.username_format));
        const bool known = ask_passdbs();
        const bool found = ask_userdbs();
        if (!known) say("=> A login is refused: no passdb knows this user. Add the user to one of them.");
        if (known && !found) say("=> The password may be right, but the login ends: no userdb knows this user.");
        if (!found) return kExitNoUser;
        return explain_mail() && known ? kExitOk : kExitNoUser;
    }

private:
    static void say(const std::string& text) { print(text + "\n"); }

    bool ask_passdbs() {
        bool known = false;
        for (const PassDbSettings& db : settings_.passdbs) {
            const std::string label = fmt::format("passdb {}{}: ", db.driver, where(db.origin));
            AuthSettings alone = settings_;
            alone.passdbs = {db};
            alone.passdbs[0].master = alone.passdbs[0].deny = false;
            auto engine = AuthEngine::create(alone, context_);
            if (!engine) {
                say(label + engine.error().detail);
                continue;
            }
            AuthRequest request = request_;
            Credentials found = (*engine)->lookup_credentials(request);
            say(label + words_for(db, found, request));
            if (db.master) continue;
            if (db.deny) known = known && found.result == AuthResult::UnknownUser;
            else known = known || found.result == AuthResult::Ok || found.unsupported;
            if (found.result == AuthResult::Ok && !db.deny) request_.userdb_fields = request.userdb_fields;
        }
        return known;
    }

    static std::string words_for(const PassDbSettings& db, const Credentials& found, const AuthRequest& request) {
        if (found.unsupported) return "keeps its passwords to itself; doveadm auth test tries one";
        switch (found.result) {
            case AuthResult::UnknownUser: return "does not know this user";
            case AuthResult::InternalFailure:
                return "could not tell (see the error above): a login is a temporary failure";
            default: break;
        }
        if (db.deny) return "knows this user and denies him (deny = yes)";
        std::string text = "knows this user";
        const PasswordScheme* scheme = scheme_of_password(found.password.reveal(), "");
        if (found.password.empty()) text += ", without a password";
        else if (!scheme) text += ", with a password of an unknown scheme, which never matches";
        else text += fmt::format(", with a password of scheme {}", scheme->name);
        for (const AuthField& field : request.fields)
            text += fmt::format(", {}{}{}", field.key, field.has_value ? "=" : "", field.value);
        if (db.master) text += "; as a master user only (master = yes)";
        return text;
    }

    bool ask_userdbs() {
        std::vector<UserDbSettings> userdbs = settings_.userdbs;
        if (userdbs.empty()) {
            say("userdb: none is configured; mail_uid, mail_gid and mail_home serve for whoever a passdb knows");
            userdbs.emplace_back().driver = "static";
        }
        bool found = false;
        for (const UserDbSettings& db : userdbs) {
            AuthSettings alone = settings_;
            alone.userdbs = {db};
            auto engine = AuthEngine::create(alone, context_);
            const std::string label = fmt::format("userdb {}{}: ", db.driver, where(db.origin));
            if (!engine) {
                say(label + engine.error().detail);
                continue;
            }
            AuthRequest request = request_;
            request.passdb_succeeded = true;
            UserResult result = (*engine)->lookup_user(request);
            std::string text(describe(result.kind));
            if (result.kind == UserResult::Kind::Found)
                for (const AuthField& field : request.userdb_fields)
                    text += fmt::format(" {}={}", field.key, field.value);
            say(label + text);
            if (result.kind != UserResult::Kind::Found || found) continue;
            found = true;
            fields_ = request.userdb_fields;
        }
        return found;
    }

    std::string field_or_setting(std::string_view key, std::string_view setting) const {
        const AuthField* field = fields_.find(key);
        return field ? field->value : call_.settings()->string(setting);
    }

    bool explain_mail() {
        UserVariables variables;
        variables.user = request_.user;
        variables.service = request_.service;
        variables.uid = field_or_setting("uid", "mail_uid");
        variables.gid = field_or_setting("gid", "mail_gid");
        auto uid = resolve_uid(variables.uid), gid = resolve_gid(variables.gid);
        if (!uid || *uid == "0") {
            say(
                fmt::format("=> The login succeeds and ends at once: uid is \"{}\". Set mail_uid, or uid in the "
                            "userdb, to a user that is "
                            "not root.",
                            variables.uid));
            return false;
        }
        const std::uint64_t number = parse_uint64(*uid).value_or(0),
                            first = call_.settings()->number("first_valid_uid"),
                            last = call_.settings()->number("last_valid_uid");
        if (number < first || (last != 0 && number > last)) {
            say(fmt::format(
                "=> The login succeeds and ends at once: uid {} is outside first_valid_uid..last_valid_uid ({}..{}).",
                number, first, last));
            return false;
        }
        auto home = expand_variables(field_or_setting("home", "mail_home"), variables.lookup());
        variables.home = home.value_or("");
        auto location = expand_variables(field_or_setting("mail", "mail_location"), variables.lookup());
        say(fmt::format("mail: uid={} gid={} home={} location={}", *uid, gid.value_or("(not set)"), variables.home,
                        location.value_or("")));
        return explain_directory(variables.home.empty() ? location.value_or("") : variables.home,
                                 static_cast<uid_t>(number),
                                 static_cast<gid_t>(parse_uint64(gid.value_or("0")).value_or(0)));
    }

    // The directory itself, or the nearest one above it that exists: can that uid write there?
    static bool explain_directory(std::string path, uid_t uid, gid_t gid) {
        if (std::size_t colon = path.find(":/"); colon != path.npos) path = path.substr(colon + 1);
        if (!path.starts_with('/')) {
            say("=> Neither home nor mail_location names a directory: set mail_home or mail_location.");
            return false;
        }
        const std::string wanted = path;
        struct stat st;
        while (::stat(path.c_str(), &st) != 0) {
            if (errno != ENOENT || path == "/") {
                say(fmt::format("=> {}: {}", path, std::strerror(errno)));
                return false;
            }
            path = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
        }
        const mode_t bits = st.st_uid == uid ? st.st_mode >> 6 : st.st_gid == gid ? st.st_mode >> 3 : st.st_mode;
        const bool can_write = (bits & 3) == 3;
        say(fmt::format("directory: {} {}", wanted,
                        path == wanted ? "exists" : "does not exist yet; " + path + " does"));
        if (can_write) {
            say("=> A login with the right password succeeds.");
            return true;
        }
        // Never advice to give a directory away that others need.
        const std::string advice = path == wanted ? fmt::format("chown {}:{} {}", uid, gid, path)
                                                  : fmt::format("install -d -o {} -g {} -m 0700 {}", uid, gid, wanted);
        say(
            fmt::format("=> The login succeeds, but no mail can be stored: uid {} may not write to {} (owner {}, mode "
                        "{:04o}). Try: {}",
                        uid, path, st.st_uid, st.st_mode & 07777, advice));
        return false;
    }

    Invocation& call_;
    const std::string name_;
    AuthSettings settings_;
    PasswdFileRegistry files_;
    DriverContext context_{&files_, nullptr};
    AuthRequest request_;
    AuthFields fields_;
};

int run(Invocation& call) {
    if (call.arguments().size() != 1) return call.usage();
    return Road(call, call.arguments()[0]).walk();
}

}  // namespace

const CommandSpec kAuthExplain = {
    .words = "auth explain",
    .synopsis = "[-x <auth info>] <user>",
    .help = "Walks through a user's login step by step and says what it would do and what to mend.",
    .options = {kAuthInfoOption},
    .run = run,
};

}  // namespace culver::doveadm
