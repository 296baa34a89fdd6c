#include "lib-delivery/user-access.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "lib-base/text.h"
#include "lib-config/variables.h"
#include "lib-service/account-names.h"
#include "lib-storage/user-variables.h"

namespace culver {
namespace {

AccountNames known_names;

bool is_about_the_process(std::string_view name) {
    static constexpr std::string_view kNames[] = {
        "uid",  "gid",       "home",       "chroot",      "system_groups_user", "user",
        "nice", "auth_mech", "auth_token", "master_user", "original_user",      "auth_user"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

std::string field_or(const UserFields& fields, std::string_view name, std::string_view otherwise) {
    for (const auto& [key, value] : fields)
        if (key == name) return value;
    return std::string(otherwise);
}

Result<WorkerIdentity> delivery_identity(const UserRecord& record, const Settings& settings) {
    const std::string uid = field_or(record.fields, "uid", settings.string("mail_uid"));
    const std::string gid = field_or(record.fields, "gid", settings.string("mail_gid"));
    if (uid.empty())
        return fail(ErrorCode::InvalidArgument,
                    "User is missing UID (see mail_uid setting): let the userdb return uid, or set a "
                    "default for all users, e.g. mail_uid = vmail");
    WorkerIdentity identity;
    if (auto number = parse_uint32(uid); number && !gid.empty()) {
        identity.uid = *number;  // the usual case, without a look into /etc/passwd
    } else {
        const UserEntry entry = TRY(known_names.user(uid));
        identity.uid = entry.uid;
        identity.gid = entry.gid;
    }
    if (identity.uid == 0)
        return fail(ErrorCode::InvalidArgument,
                    "Invalid settings in userdb: userdb returned 0 as uid. Mail is never delivered as "
                    "root: let the userdb (or mail_uid) name another user");
    if (!gid.empty()) identity.gid = TRY(known_names.group(gid));
    if (const std::string* user = record.find("system_groups_user"); user && !user->empty())
        identity.groups = known_names.groups_of(*user, identity.gid);
    std::string access = settings.string("mail_access_groups");
    std::replace(access.begin(), access.end(), ',', ' ');
    for (std::string_view group : split_words(access))
        identity.groups.push_back(TRY(known_names.group(std::string(group))));
    identity.chroot = field_or(record.fields, "chroot", settings.string("mail_chroot"));
    return identity;
}

Result<std::shared_ptr<const Settings>> user_settings(const std::shared_ptr<const Settings>& settings,
                                                      const UserFields& fields) {
    std::shared_ptr<const Settings> current = settings;
    for (const auto& [name, value] : fields) {
        if (name.empty() || is_about_the_process(name)) continue;
        const std::string setting = name == "mail" ? "mail_location" : name;
        auto changed = current->with_overrides({{setting, value}});
        // A name that is no setting belongs to a plugin, e.g. quota_rule.
        if (!changed && name != "mail") changed = current->with_overrides({{"plugin/" + name, value}});
        if (!changed && name == "mail") return fail(changed.error());
        if (changed) current = std::move(*changed);
    }
    return current;
}

Status resolve_home(MailUserIdentity& identity, const UserFields& fields) {
    identity.home = field_or(fields, "home", "");
    const std::string& mail_home = identity.settings->string("mail_home");
    if (!identity.home.empty() || mail_home.empty()) return {};
    auto home = expand_variables(mail_home, variables_of(identity).lookup());
    if (!home) return fail(ErrorCode::InvalidArgument, "mail_home: " + home.error().detail);
    identity.home = std::move(*home);
    return {};
}

std::string delivery_log_prefix(const Settings& settings, std::string_view service, const std::string& user,
                                const std::string& session) {
    static const std::string pid = std::to_string(::getpid());
    const std::string& format = settings.string("mail_log_prefix");
    if (format == "%s(%u)<%{pid}><%{session}>: ") return fmt::format("{}({})<{}><{}>: ", service, user, pid, session);
    UserVariables variables;
    variables.user = user;
    variables.session = session;
    variables.service = service;
    auto prefix = expand_variables(format, variables.lookup());
    return prefix ? *prefix : fmt::format("{}({})<{}><{}>: ", service, user, pid, session);
}

}  // namespace culver
