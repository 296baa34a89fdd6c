// Runs a mail command for one user, for all, or for those of a file or mask.
#pragma once

namespace culver::doveadm {

class Invocation;

// Finds the users, looks each up in the user databases (base_dir/auth-userdb), takes on the user's uid and opens the
// mail. With one user this process becomes that user for good; with several and as root each gets a child process.
// Returns the exit code: that of the first failure when there are several users.
int run_mail_command(Invocation& call);

}  // namespace culver::doveadm
