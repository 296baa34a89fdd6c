// %variables of Dovecot 2.3 (%u, %{user}, %Lu, %{if;...}, %{sha256:user} ...): see docs/config-language.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

// Gives the value of a variable by its long name ("user", "home", "passdb:field"); nothing if there is none.
using VariableLookup = std::function<std::optional<std::string>(std::string_view long_name)>;
// Applied to each value before it is put in (escaping for a sink); identity by default. Never applied twice, and what
// a variable gives is never expanded again (security rule M6).
using VariableEscape = std::function<std::string(std::string_view value)>;

// Expands one template. Error: "Failed to expand %z: Unknown variable '%z'". The work is bounded: the output is at most
// 64 KiB, widths are at most 1024.
Result<std::string> expand_variables(std::string_view text, const VariableLookup& lookup,
                                     const VariableEscape& escape = nullptr);

// A lookup for what every user has: user, username, domain, home, uid, gid, service, lip, rip, pid, session, hostname.
struct UserVariables {
    std::string user, home, uid, gid, service, local_ip, remote_ip, session, auth_user;
    VariableLookup lookup() const;
};

}  // namespace culver
