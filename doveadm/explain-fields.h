// doveadm auth explain: what fields of a passdb do, and which mechanisms a stored password serves. Pure.
#pragma once

#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"

namespace culver::doveadm {

// A password of this scheme can answer this mechanism; names in capitals.
bool serves_mechanism(std::string_view scheme, std::string mechanism);
// False for mechanisms that prove somebody otherwise (EXTERNAL, ANONYMOUS, OAuth 2).
bool needs_stored_password(std::string_view mechanism);
// What a field of a passdb means for this login; empty for one that only goes along.
std::string effect_of(const AuthField& field, const AuthRequest& request);

}  // namespace culver::doveadm
