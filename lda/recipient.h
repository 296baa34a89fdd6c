// Whose mail it is: found in the user database, or the user who runs the program.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lda/command-line.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-delivery/user-access.h"
#include "lib-storage/mail-user.h"

namespace culver {

struct LdaRecipient {
    MailUserIdentity identity;
    std::optional<WorkerIdentity> process;  // whom to become; nothing: this process is the user already
};

// With -d: asks authd; no value if there is no such user. Without: $USER and $HOME (or /etc/passwd).
// `settings`: as protocol lda sees them.
Result<std::optional<LdaRecipient>> find_recipient(const LdaCommandLine& line,
                                                   const std::shared_ptr<const Settings>& settings,
                                                   const std::string& session);

// The user's name as the caller's environment has it; empty if nobody says it.
std::string calling_user();

// Becomes the recipient for ever. NoPermission when this process is somebody else and not root.
Status become_recipient(const LdaRecipient& recipient);

}  // namespace culver
