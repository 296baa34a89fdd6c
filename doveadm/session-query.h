// Who is logged in, as the mail processes tell on base_dir/imap-sessions (docs/processes.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-net/ip-address.h"

namespace culver::doveadm {

struct MailSession {
    std::string username, protocol, pid, ip, number;
};

// All sessions of a running server, in no order. Unavailable or NotFound: no server answers at `socket_path`.
Result<std::vector<MailSession>> query_sessions(const std::string& socket_path);

// Asks the mail processes at `socket_path` to end these sessions; gives how many were still there.
Result<std::size_t> end_sessions(const std::string& socket_path, const std::vector<MailSession>& sessions);

// The lines "username TAB protocol TAB pid TAB ip TAB number"; lines that do not parse are left out.
std::vector<MailSession> parse_sessions(std::string_view text);

// `mask` with * and ?, whatever the case; takes time linear in both for each star.
bool matches_mask(std::string_view text, std::string_view mask);

// Which sessions a command means: a user mask, a network, both, or (neither given) all.
struct SessionFilter {
    std::string user_mask;
    std::optional<IpNetwork> network;
    // Arguments as of `doveadm who [<user mask>] [<ip/bits>]`: what parses as a network is one. Error: too many.
    static Result<SessionFilter> from(const std::vector<std::string>& arguments);
    bool accepts(const MailSession& session) const;
};

}  // namespace culver::doveadm
