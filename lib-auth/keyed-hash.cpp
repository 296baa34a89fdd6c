#include "lib-auth/keyed-hash.h"

#include <bit>
#include <cstring>

#include "lib-base/random.h"

namespace culver {

namespace {
struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
        v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
        v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
        v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

std::uint64_t load(const char* bytes, std::size_t size) {
    unsigned char buffer[8] = {};
    std::memcpy(buffer, bytes, size);
    std::uint64_t word = 0;
    for (int i = 7; i >= 0; --i) word = word << 8 | buffer[i];
    return word;
}
}  // namespace

KeyedHash::KeyedHash() : key0_(random_uint64()), key1_(random_uint64()) {}

std::uint64_t KeyedHash::operator()(std::string_view bytes) const {
    State state{key0_ ^ 0x736f6d6570736575ull, key1_ ^ 0x646f72616e646f6dull, key0_ ^ 0x6c7967656e657261ull,
                key1_ ^ 0x7465646279746573ull};
    std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
    while (bytes.size() >= 8) {
        state.absorb(load(bytes.data(), 8));
        bytes.remove_prefix(8);
    }
    state.absorb(last | load(bytes.data(), bytes.size()));
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace culver
