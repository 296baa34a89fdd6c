#include "lib-storage/index/crc32c.h"

#include <array>
#include <cstring>

namespace culver {

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
        table[i] = value;
    }
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t update_by_table(std::uint32_t crc, std::string_view bytes) {
    for (char c : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t update_by_instruction(std::uint32_t crc, std::string_view bytes) {
    std::uint64_t wide = crc;
    while (bytes.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        wide = __builtin_ia32_crc32di(wide, word);
        bytes.remove_prefix(8);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (char c : bytes) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(c));
    return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) {
    std::uint32_t crc = ~previous;
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return ~update_by_instruction(crc, bytes);
#endif
    return ~update_by_table(crc, bytes);
}

}  // namespace culver
