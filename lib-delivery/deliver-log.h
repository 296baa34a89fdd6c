// deliver_log_format: the words of the log line about one delivery.
#pragma once

#include <cstdint>
#include <string>

#include "lib-delivery/header-peek.h"

namespace culver {

struct DeliverLogFields {
    std::string status;  // %$
    const HeaderPeek* header = nullptr;
    std::string sender, recipient, session;
    std::uint64_t size = 0;          // %p, bytes on disk
    std::uint64_t virtual_size = 0;  // %w
};

// A format that does not expand gives the default one, "msgid=%m: %$".
std::string deliver_log_line(const std::string& format, const DeliverLogFields& fields);

}  // namespace culver
