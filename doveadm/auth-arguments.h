// What the commands that talk to authd share: -x, and one login from its first line to its verdict.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "doveadm/command.h"
#include "lib-auth/auth-client.h"
#include "lib-auth/auth-master-client.h"
#include "lib-base/secret-string.h"

namespace culver::doveadm {

inline constexpr OptionSpec kAuthInfoOption = {
    'x', "auth info", "key=value about the client, e.g. service=imap, rip=192.0.2.1; may be repeated"};

// kExitOk, or an error was printed: an address or a port in -x that is none.
int check_auth_info(const Invocation& call);
// -x words into a login's or a lookup's fields; service is "doveadm" without one. Unknown keys are ignored.
AuthStart auth_start(const Invocation& call);
UserLookup user_lookup(const Invocation& call, const std::string& user);

struct LoginAttempt {
    AuthReply reply;
    LoginTicket ticket;  // to pick the login up with
};
// One PLAIN login; blocks until the verdict. Unavailable when the socket cannot be reached. `while_connected` runs
// before the connection closes.
Result<LoginAttempt> log_in(const std::string& socket_path, const AuthStart& start, const std::string& user,
                            const std::string& master_user, const SecretString& password);

// What auth test and auth login have in common: arguments <user> [<password>], which is asked for if it is not there,
// the login at the socket of -a, or else `socket`, and its verdict on standard output. Nothing: `code` says why.
std::optional<LoginAttempt> attempt_login(Invocation& call, std::string_view socket, int& code);

// "passdb: U auth succeeded" with the fields, as auth test and auth login print it; returns the exit code.
int print_verdict(const std::string& user, const AuthReply& reply);

// "  user      : value" lines under "userdb: U" or "passdb: U".
void print_record(std::string_view kind, const std::string& user, const UserRecord& record);

}  // namespace culver::doveadm
