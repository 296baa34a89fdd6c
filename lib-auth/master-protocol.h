// What both master clients share: how requests are written and how replies read (docs/auth-protocol.md, "Master side").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/auth-master-client.h"

namespace culver::master_protocol {

inline constexpr std::string_view kHello = "VERSION\t1\t1\n";
inline constexpr std::size_t kLineLimit = 64 * 1024;

// "USER", "PASS" with the lookup's fields; one line with its LF.
std::string lookup_line(std::string_view command, std::uint32_t id, const UserLookup& lookup);
std::string request_line(std::uint32_t id, const LoginTicket& ticket);

// InvalidArgument-free: a VERSION line of another major is Unavailable.
Status check_greeting(const std::vector<std::string_view>& fields);

// The meaning of USER, PASS, NOTFOUND and FAIL lines; Unavailable for FAIL and for anything else.
Result<std::optional<UserRecord>> parse_reply(const std::vector<std::string_view>& fields);

}  // namespace culver::master_protocol
