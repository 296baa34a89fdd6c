// SourceAddresses: login_source_ips, the addresses that connections to backends come from, by turns.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "lib-net/ip-address.h"

namespace culver {

class SourceAddresses {
public:
    // `setting`: addresses, separated by blanks or commas. With a leading "?" those that are not this machine's are
    // left out, so that several machines can have one list. What is no address is an error in the log.
    static SourceAddresses from(std::string_view setting);

    // Of the same family as `destination`; nothing: the kernel chooses.
    std::optional<IpAddress> next(const IpAddress& destination);

private:
    std::vector<IpAddress> addresses_;
    std::size_t turn_ = 0;
};

}  // namespace culver
