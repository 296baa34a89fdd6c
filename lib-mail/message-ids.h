// Message-IDs in References, In-Reply-To and Message-ID fields (RFC 5322 §3.6.4), for THREAD and duplicate checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace culver {

inline constexpr std::size_t kReferenceLimit = 1000;  // ids of one field; the last ones count most, the rest is ignored

// The ids of a value in their order, without angle brackets, quoting and comments resolved: <"a"@b> is a@b. What is no
// id is skipped. At most kReferenceLimit. Linear.
std::vector<std::string> message_ids(std::string_view value);

}  // namespace culver
