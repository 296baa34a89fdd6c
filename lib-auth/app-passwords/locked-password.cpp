#include "lib-auth/app-passwords/locked-password.h"

#include "lib-auth/password-scheme.h"
#include "lib-base/text.h"

namespace culver {

bool is_locked_password(std::string_view stored) {
    auto [scheme, data] = split_password(stored);
    const std::string name = to_upper(scheme);
    const bool is_clear = name == "PLAIN" || name == "CLEAR" || name == "CLEARTEXT" || name == "PLAIN-TRUNC";
    return !is_clear && data.starts_with('!');
}

}  // namespace culver
