// From what the user database said to a user's mail: which uid, which settings.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-auth/auth-master-client.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-service/worker-pool.h"
#include "lib-storage/mail-user.h"

namespace culver {

using UserFields = std::vector<std::pair<std::string, std::string>>;

// Who the delivery runs as: uid and gid of the record, or mail_uid and mail_gid; mail_access_groups. InvalidArgument
// when nobody says a uid ("User is missing UID (see mail_uid setting)").
Result<WorkerIdentity> delivery_identity(const UserRecord& record, const Settings& settings);

// The configuration as this user has it: userdb fields that name settings replace them ("mail" is mail_location),
// the others are plugin settings. uid, gid, home and the like are left out.
Result<std::shared_ptr<const Settings>> user_settings(const std::shared_ptr<const Settings>& settings,
                                                      const UserFields& fields);

// Value of the first field of that name; `otherwise` if there is none.
std::string field_or(const UserFields& fields, std::string_view name, std::string_view otherwise);

// Fills in the identity's home: the userdb's, which stands as it is, or mail_home with its %variables expanded for this
// user. An error names the setting.
Status resolve_home(MailUserIdentity& identity, const UserFields& fields);

// mail_log_prefix for one delivery, "lmtp(bob)<12><session>: ".
std::string delivery_log_prefix(const Settings& settings, std::string_view service, const std::string& user,
                                const std::string& session);

}  // namespace culver
