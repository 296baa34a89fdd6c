// The texts around a session: the prefix of its log lines, the statistics of its end, the timing behind replies.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "imapd/session.h"

namespace culver {

// mail_log_prefix expanded, by default "imap(bob)<pid><session>: ".
std::string session_log_prefix(const Settings& settings, const std::string& user, const std::string& session,
                               const std::string& remote_ip);

// imap_logout_format expanded: "in=23 out=546 deleted=0 ...".
std::string logout_statistics(const Settings& settings, const SessionStats& stats, std::uint64_t bytes_in,
                              std::uint64_t bytes_out);

// " (0.001 + 0.000 secs)." : time that the command ran, time of it that was spent waiting for the client, and, if it
// was parked in between, for how long. Rounded up to milliseconds, as Dovecot does.
void append_timing(std::string& out, std::chrono::nanoseconds total, std::chrono::nanoseconds waited,
                   std::chrono::nanoseconds parked);

}  // namespace culver
