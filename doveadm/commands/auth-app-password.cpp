// doveadm auth app-password add|list|revoke: the further passwords of a user (docs/app-passwords.md).
//
// The file is changed here and not by authd, which may only read it; authd looks at it with each login.
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "lib-auth/app-passwords/app-password-file.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/wildcard.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

std::optional<std::string> file_path(Invocation& call) {
    const std::string& path = call.settings()->string("auth_app_passwords");
    if (!path.empty()) return path;
    call.fatal(
        "auth_app_passwords is not set: write auth_app_passwords = /var/lib/dovecot/app-passwords.sqlite into "
        "the configuration, then doveadm reload");
    return std::nullopt;
}

// The name as a login makes it. Nothing: an error was printed.
std::optional<std::string> normalised(Invocation& call, const std::string& name) {
    AuthSettings settings = AuthSettings::from(*call.settings());
    // Only the rules for names are wanted: no database need be there.
    settings.passdbs = {PassDbSettings{}};
    settings.passdbs[0].driver = "static";
    settings.passdbs[0].args = "nopassword=y";
    settings.userdbs.clear();
    settings.mechanisms = {"PLAIN"};
    settings.app_passwords.clear();
    auto engine = AuthEngine::create(settings, {});
    AuthRequest request;
    Status named = engine ? (*engine)->set_user(request, name) : Status(fail(engine.error()));
    if (named && request.login_user.empty()) return request.user;
    call.error(fmt::format("{}: {}", name, named ? "not the name of one user" : named.error().detail));
    return std::nullopt;
}

// The group that authd reads the file with; nothing when everything runs as one person.
std::optional<gid_t> reader_group(const Invocation& call) {
    if (::geteuid() != 0) return std::nullopt;
    const ServiceSettings* service = call.settings()->find_service("auth");
    std::string user = service ? service->user : "";
    if (service && !service->group.empty())
        if (const group* entry = ::getgrnam(service->group.c_str())) return entry->gr_gid;
    if (user.empty()) user = call.settings()->string("default_internal_user");
    const passwd* entry = ::getpwnam(user.c_str());
    return entry ? std::optional<gid_t>(entry->pw_gid) : std::nullopt;
}

std::string time_text(std::int64_t seconds) {
    std::time_t when = seconds;
    std::tm local{};
    char text[32];
    if (!::localtime_r(&when, &local) || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) == 0) return "?";
    return text;
}

// kExitOk also when nobody can say: authd may be down, or its databases keep their users to themselves.
int check_user(Invocation& call, const std::string& user) {
    AuthMasterClient client(call.socket_path("auth-userdb"));
    auto record = client.lookup_user(UserLookup{user, "doveadm", "", "", ""});
    if (!record) {
        call.info(fmt::format("whether {} exists could not be checked: {}", user, record.error().detail));
        return kExitOk;
    }
    if (*record) return kExitOk;
    call.error(fmt::format("userdb lookup: user {} doesn't exist", user));
    return kExitNoUser;
}

int add(Invocation& call) {
    if (call.arguments().size() != 1) return call.usage();
    auto path = file_path(call);
    if (!path) return kExitConfiguration;
    AppPassword row;
    row.created = std::time(nullptr);
    row.name = call.option('n').value_or("");
    std::vector<std::string> unknown;
    auto services = parse_app_services(join(call.options('s'), " "), &unknown);
    auto networks = parse_app_networks(join(call.options('t'), " "));
    auto expires = parse_app_expiry(call.option('e').value_or("never"), row.created);
    Status named = call.has('n') ? check_app_password_name(row.name) : Status();
    for (const Error* problem : {services ? nullptr : &services.error(), networks ? nullptr : &networks.error(),
                                 expires ? nullptr : &expires.error(), named ? nullptr : &named.error()})
        if (problem) return call.report(*problem);
    auto user = normalised(call, call.arguments()[0]);
    if (!user) return kExitUsage;
    if (const int code = check_user(call, *user); code != kExitOk) return code;
    for (const std::string& word : unknown)
        call.info(fmt::format("no service is usually called {}: imap, pop3, smtp, sieve, lmtp and doveadm are", word));
    row.user = *user;
    row.services = *services;
    row.networks = *networks;
    row.expires = *expires;
    const SecretString password = make_app_password();
    row.secret = hash_app_password(*app_password_letters(password.reveal()));
    AppPasswordFile file(*path);
    if (auto made = file.create(reader_group(call)); !made) return call.report(made.error());
    auto added = file.add(row);
    if (!added) return call.report(added.error());
    call.info(
        fmt::format("app password \"{}\" (id {}) of {}; it is shown only now", added->name, added->id, added->user));
    print(fmt::format("{}\n", password.reveal()));
    return kExitOk;
}

int list(Invocation& call) {
    if (call.arguments().size() > 1) return call.usage();
    auto path = file_path(call);
    if (!path) return kExitConfiguration;
    std::string mask = call.arguments().empty() ? "*" : call.arguments()[0];
    if (mask.find_first_of("*?") == mask.npos) {
        auto user = normalised(call, mask);
        if (!user) return kExitUsage;
        mask = *user;
    }
    call.out().columns({{"user", ""},
                        {"id", ""},
                        {"name", ""},
                        {"services", ""},
                        {"networks", ""},
                        {"created", ""},
                        {"expires", ""},
                        {"last_use", "last use"},
                        {"last_service", "with"},
                        {"last_address", "from"}});
    struct stat st;
    if (::stat(path->c_str(), &st) != 0 && errno == ENOENT) {
        call.info(fmt::format("{} does not exist yet: nobody has an app password", *path));
        return kExitOk;
    }
    AppPasswordFile file(*path);
    auto rows = file.all();
    if (!rows) return call.report(rows.error());
    auto uses = file.last_uses();
    if (!uses) call.error("last uses: " + uses.error().detail);
    for (const AppPassword& row : *rows) {
        if (!matches_wildcard(mask, row.user)) continue;
        const AppPasswordUse* use = uses && uses->contains(row.id) ? &uses->at(row.id) : nullptr;
        call.out().row({row.user, fmt::format("{}", row.id), row.name, row.services.empty() ? "all" : row.services,
                        row.networks.empty() ? "all" : row.networks, time_text(row.created),
                        row.expires ? time_text(*row.expires) : "never", use ? time_text(use->when) : "never",
                        use ? use->service : "", use ? use->address : ""});
    }
    return uses ? kExitOk : kExitTemporary;
}

int revoke(Invocation& call) {
    const auto& arguments = call.arguments();
    if (arguments.size() != 2) return call.usage();
    auto path = file_path(call);
    if (!path) return kExitConfiguration;
    auto user = normalised(call, arguments[0]);
    if (!user) return kExitUsage;
    const bool all = arguments[1] == "--all";
    AppPasswordFile file(*path);
    auto gone = file.revoke(*user, all ? std::nullopt : std::optional(arguments[1]));
    if (!gone) return call.report(gone.error());
    for (const AppPassword& row : *gone)
        call.info(fmt::format("revoked \"{}\" (id {}) of {}", row.name, row.id, row.user));
    if (!gone->empty() || all) return kExitOk;
    call.error(fmt::format("{} has no app password called {}", *user, arguments[1]));
    return kExitNotFound;
}

}  // namespace

const CommandSpec kAuthAppPasswordAdd = {
    .words = "auth app-password add",
    .synopsis = "[-n <name>] [-s <services>] [-t <networks>] [-e <expiry>] <user>",
    .help = "Makes one more password for a user and prints it, this once.",
    .options = {{'n', "name", "What to call it, e.g. phone; app-1, app-2 ... without it"},
                {'s', "services",
                 "Good for these only: imap, pop3, smtp (Postfix and submission), sieve; may be repeated"},
                {'t', "networks", "Good for clients there only: 192.0.2.0/24, 2001:db8::/32, local; may be repeated"},
                {'e', "expiry", "How long: 90d, 12 weeks, 2 years, 2030-12-31, never"}},
    .run = add,
};

const CommandSpec kAuthAppPasswordList = {
    .words = "auth app-password list",
    .synopsis = "[<user mask>]",
    .help = "Lists the app passwords of all users or some, with their last use.",
    .formatter = "table",
    .run = list,
};

const CommandSpec kAuthAppPasswordRevoke = {
    .words = "auth app-password revoke",
    .synopsis = "<user> <id>|<name>|--all",
    .help = "Makes an app password, or all of a user's, worthless from the next login on.",
    .run = revoke,
};

}  // namespace culver::doveadm
