// Puts a new password into one line of a passwd-file: hash upgrade at login (docs/password-upgrade.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

// The text with another second field in the first line of `user`, every other byte as it was. Nothing if there is no
// such line, or `is_as_read` refuses the field that is there. Pure.
std::optional<std::string> with_new_password(std::string_view text, std::string_view user, std::string_view fresh,
                                             const std::function<bool(std::string_view field)>& is_as_read);

// The same in a file: under a lock, by a file beside it that takes its place (owner, group and mode stay; a symlink is
// followed to the file that it means). Blocks for the disk. InUse (nothing was done): somebody else has changed the
// line or the file. NoPermission: the detail says what rights are missing.
Status store_in_passwd_file(const std::string& path, std::string_view user, std::string_view fresh,
                            const std::function<bool(std::string_view field)>& is_as_read);

}  // namespace culver
