// How this release calls itself.
#pragma once

namespace culver {

inline constexpr char kCulverVersion[] = "0.1.0";
// What scripts that ask `dovecot --version` expect to find first: the release whose configuration and files we take
// over.
inline constexpr char kDovecotVersion[] = "2.3.19.1";

}  // namespace culver
