// What the front tells a delivery worker about one message for one recipient, and what the worker answers: one packet
// each on their channel (docs/lmtp.md, "Inside").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-delivery/user-access.h"

namespace culver {

// Messages up to this size travel in the packet, larger ones as the descriptor of an unlinked file.
inline constexpr std::size_t kInlineMessage = 128 << 10;
inline constexpr std::size_t kJobLimit = 64 << 10;  // of a packet without the message

struct DeliveryJob {
    std::uint64_t id = 0;
    std::string username;
    UserFields fields;  // of the user database
    std::string local_ip, remote_ip;
    std::string session, sender, recipient;
    std::string mailbox;   // to save to; INBOX if it cannot be opened
    std::string prepend;   // header lines
    bool in_file = false;  // the message is in the file that came along, else it follows in the packet

    // Everything but the message. Length-prefixed fields; the message follows directly.
    std::string serialize() const;
    struct Parsed;
    static Result<Parsed> deserialize(std::string_view packet);
};

struct DeliveryJob::Parsed {
    DeliveryJob job;
    std::string_view message;  // points into the packet
};

struct DeliveryAnswer {
    std::uint64_t id = 0;
    bool saved = false;
    ErrorCode error = ErrorCode::Internal;  // if not saved

    std::string serialize() const;
    static Result<DeliveryAnswer> deserialize(std::string_view packet);
};

}  // namespace culver
