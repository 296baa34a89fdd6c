#include "doveadm/mail-command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "doveadm/command.h"
#include "doveadm/user-process.h"
#include "lib-auth/auth-master-client.h"
#include "lib-auth/wildcard.h"
#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"
#include "lib-delivery/user-access.h"
#include "lib-service/privileges.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

constexpr char kLookupFailed[] =
    "User lookup failed: Internal error occurred. Refer to server log for more information.";

// Whose mail, and how it was found.
struct Account {
    UserRecord record;
    bool is_looked_up = true;  // false: the caller's own mail, without the user databases
};

// The users that the options name. `several`: each line is to say whose it is.
struct Selection {
    std::vector<std::string> users;
    bool several = false, is_own = false;
};

Result<Selection> users_of_file(const std::string& path) {
    Selection selection;
    selection.several = true;
    auto text = read_file(path);
    if (!text) return fail(ErrorCode::Unavailable, fmt::format("read({}) failed: {}", path, text.error().detail));
    for (const std::string_view line : split(*text, '\n'))
        if (const auto user = trim(line); !user.empty()) selection.users.emplace_back(user);
    return selection;
}

Result<Selection> select_users(const Invocation& call, AuthMasterClient& auth) {
    Selection selection;
    const auto user = call.option('u');
    const bool is_mask = user && user->find_first_of("*?") != std::string::npos;
    if (call.has('A') || is_mask) {
        selection.several = true;
        for (std::string& name : TRY(auth.list_users("doveadm")))
            if (!is_mask || call.has('A') || matches_wildcard(*user, name)) selection.users.push_back(std::move(name));
        return selection;
    }
    if (const auto file = call.option('F')) return users_of_file(*file);
    if (user) {
        selection.users.push_back(*user);
        return selection;
    }
    const char* name = std::getenv("USER");
    if (!name || !*name) return selection;
    selection.is_own = true;
    selection.users.emplace_back(name);
    return selection;
}

// The user's home: from the user database, mail_home, or the environment for the caller's own mail.
Result<std::string> home_of(const Account& account, const Settings& settings) {
    if (const std::string* home = account.record.find("home"); home && !home->empty()) return *home;
    if (const std::string& by_default = settings.string("mail_home"); !by_default.empty()) {
        UserVariables variables;
        variables.user = account.record.username;
        variables.service = "doveadm";
        return expand_variables(by_default, variables.lookup());
    }
    const char* home = account.is_looked_up ? nullptr : std::getenv("HOME");
    return std::string(home ? home : "");
}

// Settings with the fields of the user database, and the -o options, which win over them.
Result<std::shared_ptr<const Settings>> settings_of(const Invocation& call, const Account& account) {
    auto settings = TRY(user_settings(call.settings(), account.record.fields));
    for (const auto& [name, value] : call.global().overrides)
        settings = TRY(settings->with_overrides({{name == "mail" ? "mail_location" : name, value}}));
    return settings;
}

Status check_uid(const Settings& settings, uid_t uid) {
    const std::uint64_t first = settings.number("first_valid_uid"), last = settings.number("last_valid_uid");
    if (uid == 0 || uid < first || (last != 0 && uid > last))
        return fail(ErrorCode::Unavailable,
                    fmt::format("Mail access for users with UID {} not permitted (see {}_valid_uid in config file)",
                                uid, uid < first || uid == 0 ? "first" : "last"));
    return {};
}

// Becomes the user for good. Without root the mail is opened as whoever called.
Status become_user(const Account& account, const Settings& settings) {
    if (::geteuid() != 0) return {};
    auto identity = delivery_identity(account.record, settings);
    if (!identity) return fail(ErrorCode::Unavailable, "Couldn't drop privileges: " + identity.error().detail);
    TRY(check_uid(settings, identity->uid));
    PrivilegeTarget target;
    target.uid = identity->uid;
    target.gid = identity->gid;
    target.groups = identity->groups;
    target.chroot = identity->chroot;
    return become(target);
}

// Takes on the user's identity, opens the mail, runs the command.
int run_as(Invocation& call, const Account& account) {
    call.set_user(account.record.username);
    const LogPrefix prefix(fmt::format("doveadm({}): ", account.record.username));
    const auto settings = settings_of(call, account);
    if (!settings) return call.report(settings.error());
    const auto home = home_of(account, **settings);
    if (!home) return call.report(home.error());
    if (const Status became = become_user(account, **settings); !became) {
        call.error(became.error().detail);
        return kExitTemporary;
    }
    MailUserIdentity identity;
    identity.username = account.record.username;
    identity.home = *home;
    identity.uid = std::to_string(::geteuid());
    identity.gid = std::to_string(::getegid());
    identity.service = "doveadm";
    identity.settings = *settings;
    MailboxCache cache;
    const auto user = MailUser::open(identity, cache);
    if (!user) {
        call.error("User init failed: " + user.error().detail);
        return kExitTemporary;
    }
    return call.spec().run_for_user(call, **user);
}

// Looks the user up and runs the command for it, in a child process if `several`.
int run_one(Invocation& call, AuthMasterClient& auth, const std::string& name, const Selection& selection) {
    Account account;
    account.record.username = name;
    account.is_looked_up = !selection.is_own;
    if (account.is_looked_up) {
        UserLookup lookup;
        lookup.username = name;
        lookup.service = "doveadm";
        call.set_user(name);
        auto record = auth.lookup_user(lookup);
        if (!record) {
            call.error(record.error().detail);
            call.error(kLookupFailed);
            return kExitTemporary;
        }
        if (!*record && selection.several) {
            call.info("User no longer exists, skipping");
            return kExitOk;
        }
        if (!*record) {
            call.error("User doesn't exist");
            return kExitNoUser;
        }
        account.record = std::move(**record);
    }
    if (!selection.several) return run_as(call, account);
    call.out().set_sticky(account.record.username);
    return run_in_child(call, [&](Invocation& in_child) { return run_as(in_child, account); });
}

}  // namespace

int run_mail_command(Invocation& call) {
    if (call.has('S')) {
        call.set_user(call.option('u').value_or(""));
        call.fatal(
            fmt::format("net_connect_unix({}) failed: Culver runs mail commands in this process; call doveadm "
                        "without -S",
                        *call.option('S')));
        return kExitTemporary;
    }
    if (call.spec().prepare)
        if (const int code = call.spec().prepare(call); code != kExitOk) return code;
    AuthMasterClient auth(call.socket_path("auth-userdb"));
    const auto selection = select_users(call, auth);
    if (!selection) {
        call.error(selection.error().detail);
        std::fputs("doveadm: Error: Failed to iterate through some users\n", stderr);
        return kExitTemporary;
    }
    if (selection->users.empty() && !selection->several) {
        call.fatal("USER environment is missing and -u option not used");
        return kExitUsage;
    }
    if (selection->several) call.out().add_sticky({"username", "Username", Column::Align::Left, Column::Title::Hidden});
    int code = kExitOk;
    for (const std::string& name : selection->users) {
        const int one = run_one(call, auth, name, *selection);
        if (code == kExitOk) code = one;
    }
    call.set_user("");
    return code;
}

}  // namespace culver::doveadm
