// The makers of the mechanisms, for mechanisms/table.cpp.
#pragma once

#include "lib-auth/mechanism.h"

namespace culver::mechanisms {

std::unique_ptr<Mechanism> make_plain(const AuthRequest& request);
std::unique_ptr<Mechanism> make_login(const AuthRequest& request);

}  // namespace culver::mechanisms
