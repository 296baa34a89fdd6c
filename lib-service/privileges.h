// Privileges: becoming somebody who may do little, for ever.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

// A user or group by name or number. NotFound: the machine has none of that name.
struct UserEntry {
    uid_t uid = 0;
    gid_t gid = 0;  // its primary group; for a bare number without an entry: the number itself
    std::string name;
};
Result<UserEntry> find_user(std::string_view name_or_number);
Result<gid_t> find_group(std::string_view name_or_number);
// The groups of a user by /etc/group, without `gid`; empty for a name that the machine does not know.
std::vector<gid_t> groups_of(const std::string& user, gid_t gid);

struct PrivilegeTarget {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string chroot;  // absolute; empty: none
};

// Enters chroot, sets groups, gid and uid (real, effective and saved), empties every capability set and sets
// no_new_privs. With uid 0 the process stays root with its capabilities. A no-op when the process is not root, but
// for no_new_privs. Async-signal-safe apart from its error text: callable between fork and exec.
Status become(const PrivilegeTarget& target);

// Empties the permitted, effective, inheritable, bounding and ambient sets of this process.
Status drop_all_capabilities();

// Limits what the process may allocate (RLIMIT_DATA; mapped files do not count). 0: no limit. Skipped in sanitizer
// builds.
void limit_memory(std::uint64_t bytes);

}  // namespace culver
