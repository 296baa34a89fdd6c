// The lines that clients send: AUTH with its parameters. Pure; fuzzed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-base/result.h"

namespace culver {

struct AuthLine {
    std::uint32_t id = 0;
    AuthRequest auth;                            // with the mechanism's name in upper case
    std::optional<std::string> base64_response;  // the initial one, as it came
    bool final_response_ok = false;              // the client takes the server's last message inside OK
};
// "AUTH id mechanism parameters...". Errors (InvalidArgument) mean that the client is broken and is to be cut off.
// `minor_version` decides what an empty `resp=` means.
Result<AuthLine> parse_auth_line(std::string_view line, unsigned minor_version);

// Standard fields of lookups (service, lip, rip, ...); false for a key that is none of them.
bool set_request_field(AuthRequest& request, std::string_view key, std::string_view value);

}  // namespace culver
