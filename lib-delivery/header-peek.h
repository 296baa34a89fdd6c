// What the log says about a message: a few fields of its header.
#pragma once

#include <string>
#include <string_view>

namespace culver {

struct HeaderPeek {
    std::string message_id, subject, from;  // unfolded, trimmed; empty if absent
};

// Reads the header at the beginning of `bytes`, as far as it lies there. First occurrence of each field; each at most
// 1,000 bytes. Linear, whatever the bytes are.
HeaderPeek peek_header(std::string_view bytes);

}  // namespace culver
