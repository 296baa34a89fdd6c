// FolderPath: a folder below its namespace's root: the levels of its name, UTF-8, with a TAB between them.
//
// No name holds a TAB, whatever its namespace's separator is, and a TAB sorts below every character of a name, so that
// in sorted order a folder's children stand right behind it. INBOX is "INBOX" in the namespace that has inbox = yes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib-base/text.h"

namespace culver {

using FolderPath = std::string;

inline constexpr char kLevelSeparator = '\t';

inline std::vector<std::string_view> levels_of(std::string_view path) { return split(path, kLevelSeparator); }

inline bool is_below(std::string_view path, std::string_view parent) {
    return path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == kLevelSeparator;
}

// Empty if there is none.
inline std::string_view parent_of(std::string_view path) {
    const std::size_t at = path.rfind(kLevelSeparator);
    return at == std::string_view::npos ? std::string_view() : path.substr(0, at);
}

}  // namespace culver
