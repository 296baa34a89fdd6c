// KeyedHash: SipHash-2-4 under a random key of its own: hash tables over what clients choose, and memories of it that
// nobody can read back or provoke collisions in (security rule M1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace culver {

class KeyedHash {
public:
    // A fresh random key.
    KeyedHash();
    // The reference's test vectors need a given key.
    KeyedHash(std::uint64_t key0, std::uint64_t key1) : key0_(key0), key1_(key1) {}

    // Different for every process; not to be stored.
    std::uint64_t operator()(std::string_view bytes) const;

private:
    std::uint64_t key0_, key1_;
};

}  // namespace culver
