// Users of the system, through NSS.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

struct SystemUser {
    std::string name, home;
    SecretString password;  // second field of passwd(5), mostly "x"
    uid_t uid = 0;
    gid_t gid = 0;
};

// getpwnam_r(3); nothing if there is no such user. Blocks, perhaps for a directory in the network. Thread-safe. An
// Error: NSS could not tell.
Result<std::optional<SystemUser>> find_system_user(const std::string& name);

}  // namespace culver
