// CRC-32C (Castagnoli): the checksum of every transaction and snapshot. Pure; uses the processor's instruction if it
// has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace culver {

// Continues from `previous` (0 at the start).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace culver
