#include "login/core/recent-networks.h"

#include <utility>

namespace culver {

void RecentNetworks::insert(std::uint64_t network, Clock::time_point now) {
    const bool is_full = young_.size() >= limit_ && !young_.contains(network);
    const Clock::duration age = now - young_since_;
    if (age >= period_ || is_full) {
        old_ = std::exchange(young_, {});
        if (age >= 2 * period_) old_.clear();
        young_since_ = age >= period_ && age < 2 * period_ ? young_since_ + period_ : now;
    }
    young_.insert(network);
}

bool RecentNetworks::contains(std::uint64_t network, Clock::time_point now) const {
    const Clock::duration age = now - young_since_;
    if (age >= 2 * period_) return false;
    return young_.contains(network) || (age < period_ && old_.contains(network));
}

void RecentNetworks::erase(std::uint64_t network) {
    young_.erase(network);
    old_.erase(network);
}

}  // namespace culver
