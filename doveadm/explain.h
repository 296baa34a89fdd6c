// doveadm auth explain, step by step: the name, the passdbs, the app passwords, the userdbs, the mail.
//
// The databases are asked here and not by authd, each for itself, so that each answer can be shown; that needs the
// rights to read them. One file for each step; a step prints its facts and keeps what has to be mended for the end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "doveadm/command.h"
#include "lib-auth/auth-engine.h"
#include "lib-base/secret-string.h"

namespace culver::doveadm {

// A value and who said it: "passdb sql (/etc/dovecot/dovecot.conf:12)", "mail_uid (default)".
struct OriginatedField {
    std::string key, value, origin;
};

struct Road {
    Invocation& call;
    AuthSettings settings;
    DriverContext context;
    AuthRequest request;  // grows from step to step
    std::optional<SecretString> password;
    std::vector<OriginatedField> fields;                          // what the userdbs say
    bool by_app_password = false;                                 // the password given is an app password
    bool has_app_password = false;                                // one that is good for this login
    UserResult::Kind exists = UserResult::Kind::InternalFailure;  // as authd answers without a login
    AuthFields delivery_fields;
    std::vector<std::string> verdict;
    int code = kExitOk;

    // A line of its own, a line below it.
    void say(std::string_view text) const;
    void add(std::string_view text) const;
    // What a login would do and what to mend. The first code other than 0 stays.
    void conclude(int exit_code, std::string text);
    // The same settings with one database: errors and refusals are printed by add().
    std::shared_ptr<AuthEngine> engine_of(const PassDbSettings* passdb, const UserDbSettings* userdb) const;
    const OriginatedField* find(std::string_view key) const;
    bool is_master_login() const { return !request.login_user.empty() || !request.master_user.empty(); }
};

// "passdb 2: sql (/etc/dovecot/dovecot.conf:12)"
std::string database_label(std::string_view kind, std::size_t number, std::string_view driver,
                           const SettingOrigin& origin);
// While `work` runs the lines of the log are collected and printed by add().
void with_log(const Road& road, const std::function<void()>& work);

// False: the road ends here.
bool explain_name(Road& road, const std::string& name);
void explain_connection(Road& road);
void explain_app_passwords(Road& road);
// False: no passdb knows the user.
bool explain_passdbs(Road& road);
// Behind the passdbs, which may ask for one too.
void insist_on_app_password(Road& road);
// False: no userdb knows the user.
bool explain_userdbs(Road& road);
// What LMTP hears, which asks without a login; road.exists.
void explain_delivery(Road& road);
void explain_mail(Road& road);

}  // namespace culver::doveadm
