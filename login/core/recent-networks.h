// RecentNetworks: which networks have done a certain thing lately. A network is an IPv4 /24 or an IPv6 /64, as for
// authd (lib-auth/client-network.h).
//
// A network is remembered for one period at least and for two at most. Bounded: when more networks come than there is
// room for, those that did it longest ago are forgotten early. Keyed hashes, so that nobody can provoke collisions. One
// thread; the caller tells the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_set>

namespace culver {

class RecentNetworks {
public:
    using Clock = std::chrono::steady_clock;
    RecentNetworks(std::size_t limit, Clock::duration period) : limit_(limit / 2), period_(period) {}

    void insert(std::uint64_t network, Clock::time_point now);
    bool contains(std::uint64_t network, Clock::time_point now) const;
    void erase(std::uint64_t network);
    std::size_t size() const { return young_.size() + old_.size(); }

private:
    const std::size_t limit_;  // of one generation
    const Clock::duration period_;
    Clock::time_point young_since_{};                // the old ones are good until one period later
    std::unordered_set<std::uint64_t> young_, old_;  // a full or aged young one takes the old one's place
};

}  // namespace culver
