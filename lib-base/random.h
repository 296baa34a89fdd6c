// Random bytes from the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace culver {

// `size` bytes that nobody can guess (getrandom(2)); never fails.
std::string random_bytes(std::size_t size);
std::uint64_t random_uint64();

}  // namespace culver
