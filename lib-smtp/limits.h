// What a client may ask of one SMTP or LMTP connection (docs/lmtp.md, "Limits").
#pragma once

#include <cstddef>
#include <cstdint>

namespace culver {

struct SmtpLimits {
    std::size_t command_line = 4096;  // without the line end; longer: 500, and the rest is skipped unread
    std::size_t hello_name = 255;
    std::size_t path = 1024;
    std::uint32_t recipients = 1000;     // of one transaction; then 452
    std::uint32_t bad_commands = 10;     // the next one closes with 421
    std::uint64_t message = 256u << 20;  // announced as SIZE; then 552
    std::size_t output = 64 << 10;       // replies not yet taken by the client before input is left waiting
};

}  // namespace culver
