// Filters on names and addresses, as passdb fields and settings write them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

// * and ? wildcards; linear in time (two pointers, no backtracking beyond the last star).
bool matches_wildcard(std::string_view pattern, std::string_view text);

// username_filter: words with wildcards, "!" in front excludes. True if one includes (or none does) and none excludes.
bool matches_username_filter(const std::vector<std::string>& filter, std::string_view user);

// allow_nets: networks separated by commas, "local" for clients without an address. `refused` gets the log's words.
bool is_allowed_network(std::string_view networks, std::string_view remote_ip,
                        const std::function<void(std::string why)>& refused);

}  // namespace culver
