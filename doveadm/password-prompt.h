// Passwords from the person at the terminal, or from a pipe.
#pragma once

#include <string_view>

#include "lib-base/secret-string.h"

namespace culver::doveadm {

// One line of standard input, without its LF; empty at the end of the input. On a terminal the prompt is shown and
// nothing is echoed; from a pipe no prompt appears.
SecretString ask_password(std::string_view prompt);

}  // namespace culver::doveadm
