// What the server says it can do, after login.
#pragma once

#include <string>

#include "lib-config/settings.h"

namespace culver {

// The words behind "CAPABILITY "; imap_capability replaces them, or adds to them when it begins with "+".
std::string capability_text(const Settings& settings);

}  // namespace culver
