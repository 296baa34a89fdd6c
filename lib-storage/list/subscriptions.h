// The subscriptions file of a namespace: Dovecot's format, version 2 written, 1 and 2 read
// (docs/namespaces-and-locations.md).
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-storage/list/directory-tree.h"
#include "lib-storage/list/folder-path.h"

namespace culver {

// The names of a file's text as FolderPaths. Lines that cannot be names are skipped; `storage_separator` separates the
// levels of version 1. At most 100,000 names.
std::set<FolderPath, std::less<>> parse_subscriptions(std::string_view text, char storage_separator);
std::string format_subscriptions(const std::set<FolderPath, std::less<>>& names);

// A missing file holds no names.
Result<std::set<FolderPath, std::less<>>> read_subscriptions(const std::string& path, char storage_separator);
// Replaces the file durably. Call under the list lock.
Status write_subscriptions(const std::string& path, const std::set<FolderPath, std::less<>>& names,
                           const TreeModes& modes);

}  // namespace culver
