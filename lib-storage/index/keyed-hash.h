// keyed_hash: a fast hash of file names under a secret key, so that nobody can choose names that fall on one another
// (security.md, M1). Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace culver {

inline std::uint64_t keyed_hash(std::string_view text, std::uint64_t key) {
    auto mix = [](std::uint64_t a, std::uint64_t b) {
        auto product = static_cast<unsigned __int128>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    std::uint64_t hash = key ^ (text.size() * 0x9e3779b97f4a7c15ULL);
    while (text.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), 8);
        hash = mix(hash ^ word, key | 0xa0761d6478bd642fULL);
        text.remove_prefix(8);
    }
    std::uint64_t word = 0;
    if (!text.empty()) std::memcpy(&word, text.data(), text.size());
    return mix(hash ^ word, 0xe7037ed1a0b428dbULL ^ key);
}

}  // namespace culver
