#include "lib-auth/mechanisms/stored-keys.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver::mechanisms {

StoredText read_stored(std::string_view stored, std::string_view accepted) {
    StoredText out;
    auto decoded = decode_password(stored, "PLAIN");
    if (!decoded) {
        out.problem = "Invalid password in passdb: " + decoded.error().detail;
        return out;
    }
    out.stored = std::move(*decoded);
    std::string_view name = out.stored.scheme->name;
    // PLAIN-TRUNC too, its length and all: nothing else of it could be proven without the password.
    out.is_plain = name == "PLAIN" || name == "CLEAR" || name == "CLEARTEXT" || name == "PLAIN-TRUNC";
    bool serves = out.is_plain && !out.stored.raw.empty();
    for (std::string_view word : split_words(accepted)) serves = serves || word == name;
    if (!serves)
        out.problem =
            fmt::format("Requested {} scheme, but we have only {}", accepted.substr(0, accepted.find(' ')), name);
    return out;
}

}  // namespace culver::mechanisms
