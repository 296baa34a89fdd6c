// The parts of %variables that compute: hashes and conditions. Private to lib-config.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace culver::config {

// An outcome, or why not (without "Failed to expand ...").
using Computed = std::expected<std::string, std::string>;

bool is_hash_function(std::string_view name);
// "sha256" with "rounds=2,salt=ab" over `input`; hex unless the arguments ask for base64.
Computed hash_value(std::string_view function, std::string_view arguments, std::string_view input);

// %H and %N: numbers made from a text, for spreading users over directories.
std::uint32_t old_hash(std::string_view text);
std::uint32_t new_hash(std::string_view text);
std::string md5_hex(std::string_view text);

// One comparison of %{if}: numbers (== < <= > >= !=), strings (eq lt le gt ge ne), wildcards (*), regular
// expressions (~).
std::expected<bool, std::string> compare_values(std::string_view left, std::string_view comparator,
                                                std::string_view right);

}  // namespace culver::config
