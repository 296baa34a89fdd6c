#include "imapd/user-identity.h"

#include <fmt/format.h>

#include <array>

#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {
namespace {

// Fields of a user record that are no settings.
constexpr std::array kNoSettings = {
    std::string_view("uid"),         std::string_view("gid"),          std::string_view("home"),
    std::string_view("chroot"),      std::string_view("mail"),         std::string_view("system_groups_user"),
    std::string_view("nologin"),     std::string_view("reason"),       std::string_view("user"),
    std::string_view("master_user"), std::string_view("auth_user"),    std::string_view("original_user"),
    std::string_view("anonymous"),   std::string_view("event_fields"), std::string_view("allow_nets"),
    std::string_view("auth_token"),  std::string_view("auth_mech"),    std::string_view("session"),
};

std::string what_to_write(std::string_view what, std::string_view setting) {
    return fmt::format(
        "the userdb returned no {} for this user: let the userdb return {}, or set a default for all users, "
        "e.g. {} = vmail",
        what, what, setting);
}

}  // namespace

namespace {

std::string field_or_setting(const UserRecord& record, const Settings& settings, std::string_view field,
                             std::string_view setting) {
    const std::string* value = record.find(field);
    return value && !value->empty() ? *value : settings.string(setting);
}

Result<uid_t> uid_of(const std::string& text, const Settings& settings, AccountNames& names) {
    if (text.empty())
        return fail(ErrorCode::InvalidArgument,
                    "Couldn't drop privileges: User is missing UID (see mail_uid setting): " +
                        what_to_write("uid", "mail_uid"));
    auto uid = parse_uint32(text);
    if (!uid)
        if (const auto user = names.user(text)) uid = user->uid;
    if (!uid)
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Invalid settings in userdb: uid '{}' is neither a number nor a user of this machine "
                                "(from the userdb, or mail_uid at {})",
                                text, settings.origin("mail_uid").to_string()));
    if (*uid == 0)
        return fail(ErrorCode::InvalidArgument,
                    "Invalid settings in userdb: userdb returned 0 as uid: mail is never read "
                    "as root, forward root's mail to an ordinary user");
    return *uid;
}

Result<gid_t> gid_of(const std::string& text, const Settings& settings, AccountNames& names) {
    if (text.empty())
        return fail(ErrorCode::InvalidArgument,
                    "Couldn't drop privileges: User is missing GID (see mail_gid setting): " +
                        what_to_write("gid", "mail_gid"));
    const auto gid = names.group(text);
    if (!gid)
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Invalid settings in userdb: gid '{}' is neither a number nor a group of this machine "
                                "(from the userdb, or mail_gid at {})",
                                text, settings.origin("mail_gid").to_string()));
    return *gid;
}

}  // namespace

Result<UserOnMachine> resolve_user(const UserRecord& record, const Settings& settings, AccountNames& names) {
    UserOnMachine user;
    const std::string uid_text = field_or_setting(record, settings, "uid", "mail_uid");
    const std::string gid_text = field_or_setting(record, settings, "gid", "mail_gid");
    user.identity.uid = TRY(uid_of(uid_text, settings, names));
    user.identity.gid = TRY(gid_of(gid_text, settings, names));
    if (const std::string* name = record.find("system_groups_user"); name && !name->empty())
        user.identity.groups = names.groups_of(*name, user.identity.gid);
    for (const std::string& group : settings.words("mail_access_groups"))
        if (auto number = names.group(group)) user.identity.groups.push_back(*number);

    if (const std::string* home = record.find("home"); home && !home->empty()) {
        user.home = *home;
    } else if (const std::string& by_default = settings.string("mail_home"); !by_default.empty()) {
        UserVariables variables;
        variables.user = record.username;
        variables.uid = uid_text;
        variables.gid = gid_text;
        variables.service = "imap";
        user.home = TRY(expand_variables(by_default, variables.lookup()));
    }
    if (const std::string* mail = record.find("mail"); mail && !mail->empty())
        user.overrides.emplace_back("mail_location", *mail);
    for (const auto& [name, value] : record.fields) {
        bool is_setting = !name.starts_with("auth_") && !name.starts_with("userdb_");
        for (std::string_view other : kNoSettings) is_setting = is_setting && name != other;
        if (is_setting) user.overrides.emplace_back(name, value);
    }
    return user;
}

}  // namespace culver
