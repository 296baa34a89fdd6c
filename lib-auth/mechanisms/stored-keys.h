// What challenge-response mechanisms need, out of a stored password of whatever scheme it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib-auth/password-scheme.h"

namespace culver::mechanisms {

struct StoredText {
    StoredPassword stored;
    bool is_plain = false;  // PLAIN, CLEAR, CLEARTEXT
    std::string problem;    // not empty: it cannot serve; for the log
};
// `accepted`: names of the schemes that serve beside a plain password, separated by blanks.
StoredText read_stored(std::string_view stored, std::string_view accepted);

}  // namespace culver::mechanisms
