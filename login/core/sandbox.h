// What a login process may no longer ask of the kernel once it has begun to listen to strangers.
#pragma once

#include "lib-base/result.h"

namespace culver {

// Loads what libraries would otherwise open later (OpenSSL's configuration and algorithms).
void prepare_for_sandbox();

// seccomp: starting programs, opening files, tracing, mounting, making threads or processes, listening, UDP and the
// like fail with EPERM from here on. Does nothing in sanitizer builds, whose runtime needs them. Needs no_new_privs.
Status enter_sandbox();

}  // namespace culver
