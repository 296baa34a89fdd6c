// "Did you mean ...?": the known name that a mistyped one is nearest to.
#pragma once

#include <span>
#include <string_view>

namespace culver {

// The name with the fewest edits (insert, delete, replace, swap neighbours) from `wrong`: at most a third of its
// length, and three. The first of equally near ones; empty if none is near. A view of an element of `names`.
std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> names);

}  // namespace culver
