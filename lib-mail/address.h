// Addresses of a header field, as ENVELOPE shows them. RFC 5322 §3.4; what is broken comes out exactly as from Dovecot.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

inline constexpr std::size_t kAddressLimit = 10000;  // per field; the rest is ignored

// A missing mailbox is "MISSING_MAILBOX", a missing domain "MISSING_DOMAIN". The begin of a group has only a mailbox
// (its name), its end has nothing at all.
struct Address {
    std::optional<std::string> name, route, mailbox, domain;
};

// `value`: a field value with its folds kept as LF. Appends to `addresses`, up to kAddressLimit altogether. Linear.
void parse_addresses(std::string_view value, std::vector<Address>& addresses);

}  // namespace culver
