// KnownLogins: which user has logged in from which network since this process started.
//
// Only a sign of who should be served first when there is more work than time; it opens no door. Keyed hashes, so that
// neither names nor addresses can be read from it. Bounded: the longest unseen are forgotten. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "lib-auth/keyed-hash.h"

namespace culver {

class KnownLogins {
public:
    explicit KnownLogins(std::size_t limit = 100'000) : limit_(limit / 2) {}

    // A right login. Forgets the oldest ones above the limit.
    void remember(std::string_view remote_ip, std::string_view user);
    bool contains(std::string_view remote_ip, std::string_view user) const;
    std::size_t size() const { return young_.size() + old_.size(); }

private:
    std::uint64_t key(std::string_view remote_ip, std::string_view user) const;

    const std::size_t limit_;  // of one generation
    KeyedHash hash_;
    std::unordered_set<std::uint64_t> young_, old_;  // a full young one takes the old one's place
};

}  // namespace culver
