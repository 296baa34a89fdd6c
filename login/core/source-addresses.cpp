#include "login/core/source-addresses.h"

#include <algorithm>
#include <string>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/connect.h"

namespace culver {

SourceAddresses SourceAddresses::from(std::string_view setting) {
    SourceAddresses result;
    std::string text(trim(setting));
    const bool only_own = text.starts_with('?');
    if (only_own) text.erase(0, 1);
    std::ranges::replace(text, ',', ' ');
    for (std::string_view word : split_words(text)) {
        const auto address = IpAddress::parse(word);
        if (!address) log_error("login_source_ips: " + std::string(word) + " is no IP address");
        else if (!only_own || is_own_address(*address)) result.addresses_.push_back(*address);
    }
    return result;
}

std::optional<IpAddress> SourceAddresses::next(const IpAddress& destination) {
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
        const IpAddress& address = addresses_[turn_++ % addresses_.size()];
        if (address.is_ipv6() == destination.is_ipv6()) return address;
    }
    return std::nullopt;
}

}  // namespace culver
