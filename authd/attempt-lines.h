// The last line of a login attempt. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "lib-auth/auth-engine.h"

namespace culver {

// "OK id user=... fields [resp=...]" with its LF; `resp` stands last, as clients expect it.
std::string ok_line(std::uint32_t id, const AuthRequest& auth);
// "FAIL id [user=...] [nodelay] [code=...] fields [reason=...]" with its LF. A name that was never read is not echoed;
// one that was refused is, as it came.
std::string fail_line(std::uint32_t id, const AuthRequest& auth, AuthResult result, std::string_view reason);

}  // namespace culver
