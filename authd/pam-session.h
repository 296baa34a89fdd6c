// One PAM conversation, in the process that may do it.
#pragma once

#include "lib-auth/passdb.h"

namespace culver {

// Blocks for as long as the modules like. Not thread-safe: PAM modules are not.
PamAnswer run_pam(const PamCall& call);

}  // namespace culver
