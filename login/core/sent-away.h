// SentAway: counts who was sent away, so that the log says it once for many.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "lib-net/ip-address.h"

namespace culver {

class SentAway {
public:
    // Takes one into account; true while they are so few that each may have its own line.
    bool note(const IpAddress& client);
    bool empty() const { return count_ == 0; }
    // "1,234 from 57 networks, most of them from 192.0.2.0/24", and counts from 0 again.
    std::string take();

private:
    static constexpr std::size_t kLines = 10;
    static constexpr std::size_t kNetworks = 10'000;  // more are not told apart
    std::size_t count_ = 0;
    std::unordered_map<std::string, std::size_t> networks_;
};

}  // namespace culver
