// Mailbox names on the command line, as the mailbox commands share them.
#pragma once

#include <functional>
#include <string>

#include "doveadm/command.h"
#include "lib-storage/mailbox-name.h"

namespace culver::doveadm {

// A `prepare` for commands that take one mailbox or more: their synopsis without any, exit 65 for a name that is not
// UTF-8.
int require_mailboxes(Invocation& call);
// The second half of it, for commands with other arguments.
int check_arguments_utf8(Invocation& call);

// Calls `work` with each argument as a name. Failures are reported as "<complaint(name)>: text"; the others go on.
// Returns the exit code of the first failure.
int for_each_mailbox(Invocation& call, const std::function<std::string(const std::string&)>& complaint,
                     const std::function<Status(const MailboxName&)>& work);

}  // namespace culver::doveadm
