// What the calling process may do with a directory that need not exist yet, in words.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace culver::doveadm {

struct PathAccess {
    std::vector<std::string> facts;  // what is there, with owner and mode
    std::string problem;             // empty: it can be used, or made and then used; otherwise why not and what to do
};

// Looks at each directory from the root on with the rights this process has: call it as the user in question (access(2)
// knows ACLs and read-only file systems, mode bits alone do not). `path` is absolute.
PathAccess look_at_directory(const std::string& path, uid_t uid, gid_t gid);

}  // namespace culver::doveadm
