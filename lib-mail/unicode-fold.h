// Text made comparable for searching: canonical decomposition, then upper case, so that case does not matter and "o"
// finds "ö" (i;unicode-casemap, RFC 5051, in spirit). Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace culver {

// `utf8` has to be valid (valid_utf8, to_utf8); other bytes pass through. ASCII runs cost next to nothing.
std::string fold_text(std::string_view utf8);
void append_folded(std::string& out, std::string_view utf8);

}  // namespace culver
