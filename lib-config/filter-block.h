// protocol, local, remote and local_name blocks: what they match and how they may be nested. Private to lib-config.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "lib-config/tree.h"
#include "lib-config/value.h"

namespace culver::config {

bool is_filter_name(std::string_view block_name);
// The same name with static storage; empty if it is none.
std::string_view filter_name(std::string_view block_name);

// The condition of a filter block inside a filter `outer` whose innermost block is `outer_name` (empty outside).
std::expected<Condition, ValueError> make_condition(const Condition& outer, std::string_view outer_name,
                                                    std::string_view name, const std::string& label);

// Labels in setting paths: "\s" is '/', "\_" a blank, "\\" a backslash.
std::string path_escape(std::string_view label);
std::string path_unescape(std::string_view part);

}  // namespace culver::config
