// The lines that clients send: AUTH with its parameters. Pure; fuzzed.
#pragma once

#include <string_view>

#include "authd/client-request.h"
#include "lib-base/result.h"

namespace culver {

// "AUTH id mechanism parameters..." into a request without its mechanism object. Errors (InvalidArgument) mean that
// the client is broken and is to be cut off. `minor_version` decides what an empty `resp=` means.
// The initial response is left as base64 in `base64_response`.
struct AuthLine {
    ClientRequest request;
    std::string mechanism;
    std::optional<std::string> base64_response;
};
Result<AuthLine> parse_auth_line(std::string_view line, unsigned minor_version);

// Standard fields of lookups (service, lip, rip, ...); false for a key that is none of them.
bool set_request_field(AuthRequest& request, std::string_view key, std::string_view value);

}  // namespace culver
