// checkpassword, what its passdb and its userdb share: docs/checkpassword.md.
//
// A program is asked "is this the user's password?" (Verify), or only for what it knows about the user (Lookup), and
// answers through checkpassword-reply with fields and an exit status.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/auth-fields.h"
#include "lib-auth/auth-request.h"
#include "lib-auth/program-runner.h"

namespace culver::checkpassword {

enum class Mode {
    Verify,
    Credentials,  // the stored password, or only that the user exists
    User,
};

// InvalidArgument if `args` begins with no whole path.
Status check_args(std::string_view args);

// The words of `args`, each expanded for this request, then the path of checkpassword-reply. Blanks separate words, two
// in a row make an empty one, quotes mean nothing; what a variable brings along never makes two words of one.
Result<std::vector<std::string>> command(std::string_view args, const AuthRequest& request);
// Where checkpassword-reply is: beside the running program.
std::string reply_program();

// The scheme of stored passwords that the request's mechanism would like best; empty for none.
std::string_view wanted_scheme(const AuthRequest& request);
// NAME=value; values with a NUL are left out.
std::vector<std::string> environment(const AuthRequest& request, Mode mode);
// For descriptor 3: user NUL password NUL NUL.
SecretString input(const AuthRequest& request, std::string_view password);

// The fields of a reply: `key=value` TAB ..., values escaped. Pure; fuzzed. An Error: the reply cannot be meant.
Result<AuthFields> parse_reply(std::string_view bytes);

struct Answer {
    enum class Kind { Yes, No, UnknownUser } kind = Kind::No;
    AuthFields fields;   // of Yes
    std::string reason;  // of the others, for the log
};
// What a program's end means in that mode. An Error: it could not tell.
Result<Answer> judge(const ProgramResult& result, Mode mode);

// Runs the program for the request; what it says on standard error goes to the log.
Result<Answer> ask(ProgramRunner* runner, std::string_view args, const AuthRequest& request, Mode mode,
                   std::string_view password);

}  // namespace culver::checkpassword
