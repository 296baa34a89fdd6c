// Session ids of deliveries: 22 characters that no other delivery has, in the form that Dovecot's logs have them.
#pragma once

#include <string>

namespace culver {

// base64 of: nanoseconds, seconds, pid and a hash of the host's name, 4 bytes each. Unique in a process and, as far as
// clocks and pids are, on the host. Thread-safe.
std::string new_session_id();

// The name that this host gives itself: the `hostname` setting, or what the system says.
std::string own_hostname(const std::string& configured);

// "Fri, 20 Nov 2026 13:04:01 +0000", now, in local time (RFC 5322 §3.3).
std::string header_date();

}  // namespace culver
