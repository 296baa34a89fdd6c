// How large a message may be that comes in by APPEND; announced as APPENDLIMIT (RFC 7889).
#pragma once

#include <cstdint>

namespace culver {

inline constexpr std::uint64_t kAppendLimit = 256ull << 20;

}  // namespace culver
