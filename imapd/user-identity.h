// Who a login is on this machine: uid, gid, groups, home and settings, from what authd found and from the defaults
// mail_uid, mail_gid, mail_home.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib-auth/auth-master-client.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-service/account-names.h"
#include "lib-service/worker-identity.h"

namespace culver {

struct UserOnMachine {
    WorkerIdentity identity;
    std::string home;                                            // may be empty
    std::vector<std::pair<std::string, std::string>> overrides;  // "mail_location" and other settings from the userdb
};

// Errors: InvalidArgument with a detail in Dovecot's words and what to write in the configuration.
Result<UserOnMachine> resolve_user(const UserRecord& record, const Settings& settings, AccountNames& names);

}  // namespace culver
