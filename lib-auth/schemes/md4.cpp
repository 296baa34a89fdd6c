// MD4 (RFC 1320).
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "lib-auth/schemes/digest.h"

namespace culver::schemes {

namespace {
using State = std::array<std::uint32_t, 4>;

void transform(State& state, const unsigned char* block) {
    std::uint32_t x[16];
    for (int i = 0; i < 16; ++i)
        x[i] = std::uint32_t{block[4 * i]} | std::uint32_t{block[4 * i + 1]} << 8 |
               std::uint32_t{block[4 * i + 2]} << 16 | std::uint32_t{block[4 * i + 3]} << 24;
    State s = state;
    static constexpr int kShifts[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static constexpr std::uint32_t kConstants[3] = {0, 0x5A827999, 0x6ED9EBA1};
    static constexpr int kOrder3[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 16; ++i) {
            std::uint32_t &a = s[(16 - i) & 3], b = s[(17 - i) & 3], c = s[(18 - i) & 3], d = s[(19 - i) & 3];
            std::uint32_t f = round == 0   ? ((b & c) | (~b & d))
                              : round == 1 ? ((b & c) | (b & d) | (c & d))
                                           : (b ^ c ^ d);
            int k = round == 0 ? i : round == 1 ? (i % 4) * 4 + i / 4 : kOrder3[i];
            a = std::rotl(a + f + x[k] + kConstants[round], kShifts[round][i & 3]);
        }
    }
    for (int i = 0; i < 4; ++i) state[static_cast<std::size_t>(i)] += s[static_cast<std::size_t>(i)];
}
}  // namespace

std::string md4(std::string_view bytes) {
    State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    std::string padded(bytes);
    padded += '\x80';
    while (padded.size() % 64 != 56) padded += '\0';
    std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
    for (int i = 0; i < 8; ++i) padded += static_cast<char>(bits >> (8 * i));
    for (std::size_t i = 0; i < padded.size(); i += 64)
        transform(state, reinterpret_cast<const unsigned char*>(padded.data()) + i);
    ::explicit_bzero(padded.data(), padded.size());
    std::string out;
    for (std::uint32_t word : state)
        for (int i = 0; i < 4; ++i) out += static_cast<char>(word >> (8 * i));
    return out;
}

}  // namespace culver::schemes
