// One IMAP command of a client that has not logged in, parsed. Pure: no I/O, no state.
//
// Before login errors are told without detail, but for what is wrong with the line itself ("Missing '"'"), as Dovecot
// does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "login/core/forwarded.h"

namespace culver {

// Wipes what it holds of passwords when it goes.
struct PreloginCommand {
    enum class Name { Invalid, Capability, Noop, Logout, Id, StartTls, Login, Authenticate } name = Name::Invalid;
    std::string tag = "*";                        // "*" when the client's is no tag
    std::string error;                            // Invalid: what to say behind BAD
    std::string user, password;                   // Login
    std::string mechanism;                        // Authenticate, in upper case
    Forwarded forwarded;                          // Id: what a proxy says of its client, if it is to be believed
    std::optional<std::string> initial_response;  // Authenticate: base64 as it came; "=" is an empty one (RFC 4959)

    PreloginCommand() = default;
    PreloginCommand(PreloginCommand&&) = default;
    PreloginCommand& operator=(PreloginCommand&&) = delete;
    ~PreloginCommand();
};

// `line`: a whole command with its literals in place, without its line end (CommandScanner).
PreloginCommand parse_prelogin_command(std::string_view line);

}  // namespace culver
