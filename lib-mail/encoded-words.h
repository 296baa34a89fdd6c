// RFC 2047 encoded words in header values: "=?utf-8?q?J=C3=B6rg?=" to UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace culver {

// Bytes of one value whose encoded words are decoded; the rest is passed on as it is.
inline constexpr std::size_t kEncodedWordsLimit = 64 * 1024;

// Blanks between two encoded words go; what is no encoded word stays (made valid UTF-8); words in an unknown charset or
// with a broken encoding stay as they are. Linear.
std::string decode_encoded_words(std::string_view value);

}  // namespace culver
