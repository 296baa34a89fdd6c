// The items of STATUS, shared with LIST ... RETURN (STATUS ...). RFC 3501 §6.3.10, RFC 5819, RFC 8438, RFC 7889.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib-storage/types.h"

namespace culver {

class Parser;

class StatusItems {
public:
    // "(MESSAGES UNSEEN)"; errors in Dovecot's words.
    void parse(Parser& in);
    bool wants_modseq() const { return items_ & HighestModSeq; }
    // "* STATUS name (...)" with CRLF; always in the same order, whatever the client's was.
    void append_line(std::string& out, std::string_view mailbox_utf8, const MailboxStatus& status) const;

private:
    enum Item : std::uint32_t {
        Messages = 1,
        Recent = 2,
        UidNext = 4,
        UidValidity = 8,
        Unseen = 16,
        HighestModSeq = 32,
        Size = 64,
        Guid = 128,
        AppendLimit = 256,
    };
    std::uint32_t items_ = 0;
};

}  // namespace culver
