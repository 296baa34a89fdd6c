// Directories of mail: made with the mode and group of the mail root, made and removed as one step.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct TreeModes {
    unsigned directory = 0700, file = 0600;
    gid_t group = static_cast<gid_t>(-1);  // given to what is made; -1 = the process's own
};

// The modes of what is made below `root`: the directory's own, as Dovecot takes them. 0700 and 0600 if it is missing.
TreeModes modes_of(const std::string& root);

enum class EntryKind { Missing, Directory, Other };
// Follows symbolic links. A directory that may not be entered counts as Directory.
EntryKind kind_of(const std::string& path);

// mkdir -p; made directories get the modes. The parents of `path` that are missing are made with 0700 as well.
Status make_directories(const std::string& path, const TreeModes& modes);
// One directory; AlreadyExists if the name is taken.
Status make_directory(const std::string& path, const TreeModes& modes);
// An empty file; not an error if it exists.
Status make_empty_file(const std::string& path, const TreeModes& modes);

// Removes `path` and all below; symbolic links are removed, never followed. Not an error if it does not exist. Depth
// and descriptors are bounded; another process may remove things meanwhile.
Status remove_tree(const std::string& path);

// The names in a directory, without "." and "..". Missing or unreadable: an Error.
struct DirectoryEntry {
    std::string name;
    enum class Kind { Directory, Other, Unknown } kind = Kind::Unknown;  // Unknown: a symbolic link, or not told
};
Result<std::vector<DirectoryEntry>> read_directory(const std::string& path);

// The directory part of a path.
std::string directory_part(const std::string& path);

}  // namespace culver
