#include "lda/recipient.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "lib-service/privileges.h"

namespace culver {
namespace {

std::string socket_path(const Settings& settings) {
    const std::string& path = settings.string("auth_socket_path");
    return path.starts_with('/') ? path : settings.string("base_dir") + "/" + path;
}

// Copies: a second call of getpwuid would overwrite what the first one found.
struct SystemUser {
    std::string name, home;
};
SystemUser system_user() {
    const passwd* entry = ::getpwuid(::geteuid());
    if (!entry) return {};
    return {entry->pw_name, entry->pw_dir};
}

std::string environment(const char* name) {
    const char* value = ::getenv(name);
    return value ? value : "";
}

}  // namespace

std::string calling_user() {
    const std::string user = environment("USER");
    return user.empty() ? system_user().name : user;
}

static LdaRecipient caller(const std::shared_ptr<const Settings>& settings, const std::string& session) {
    LdaRecipient recipient;
    MailUserIdentity& identity = recipient.identity;
    identity.username = calling_user();
    identity.home = environment("HOME");
    if (identity.home.empty()) identity.home = system_user().home;
    identity.uid = std::to_string(::geteuid());
    identity.gid = std::to_string(::getegid());
    identity.service = "lda";
    identity.session = session;
    identity.settings = settings;
    return recipient;
}

Result<std::optional<LdaRecipient>> find_recipient(const LdaCommandLine& line,
                                                   const std::shared_ptr<const Settings>& settings,
                                                   const std::string& session) {
    if (!line.user) return std::optional(caller(settings, session));
    if (line.user->empty()) return std::nullopt;
    AuthMasterClient users(socket_path(*settings));
    UserLookup lookup;
    lookup.username = *line.user;
    lookup.service = "lda";
    lookup.session = session;
    auto record = TRY(users.lookup_user(lookup));
    if (!record) return std::nullopt;
    LdaRecipient recipient;
    recipient.process = TRY(delivery_identity(*record, *settings));
    MailUserIdentity& identity = recipient.identity;
    identity.username = record->username;
    identity.uid = std::to_string(recipient.process->uid);
    identity.gid = std::to_string(recipient.process->gid);
    identity.service = "lda";
    identity.session = session;
    identity.settings = TRY(user_settings(settings, record->fields));
    TRY(resolve_home(identity, record->fields));
    return std::optional(std::move(recipient));
}

Status become_recipient(const LdaRecipient& recipient) {
    if (!recipient.process) return {};
    const WorkerIdentity& wanted = *recipient.process;
    if (::geteuid() != 0) {
        if (wanted.uid == ::geteuid()) return {};
        return fail(
            ErrorCode::NoPermission,
            fmt::format(
                "Couldn't drop privileges: the user's mail belongs to uid {} (from the userdb), but dovecot-lda runs "
                "as uid {}. Let the MTA start it as that user (Postfix: user= in master.cf) or as root",
                wanted.uid, ::geteuid()));
    }
    return become({wanted.uid, wanted.gid, wanted.groups, wanted.chroot});
}

}  // namespace culver
