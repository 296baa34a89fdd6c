// The words of a mailbox: UIDs, sequence numbers, modseqs, flags.
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace culver {

struct Uid {
    std::uint32_t value = 0;
    auto operator<=>(const Uid&) const = default;
};
struct Seq {  // 1-based position in one session's view
    std::uint32_t value = 0;
    auto operator<=>(const Seq&) const = default;
};
struct ModSeq {
    std::uint64_t value = 0;
    auto operator<=>(const ModSeq&) const = default;
};

struct UidRange {
    Uid first, last;  // both included
    bool operator==(const UidRange&) const = default;
};

// System flags as bits; \Recent is not a flag of the message but of the session's view.
enum SystemFlag : std::uint8_t {
    kAnswered = 1,
    kFlagged = 2,
    kDeleted = 4,
    kSeen = 8,
    kDraft = 16,
};

inline constexpr std::size_t kKeywordLimit = 128;  // per mailbox; only the first 26 fit into file names
using KeywordSet = std::bitset<kKeywordLimit>;     // bit = index in Mailbox::keywords()

struct MessageFlags {
    std::uint8_t system = 0;
    KeywordSet keywords;
    bool operator==(const MessageFlags&) const = default;
};

// One message as the index knows it.
struct MessageInfo {
    Uid uid;
    MessageFlags flags;
    ModSeq modseq;
    std::int64_t internal_date = 0;  // seconds since 1970; the file's mtime
    std::int64_t save_date = 0;      // when it came into this mailbox
    std::uint64_t size = 0;          // bytes on disk; 0 = not known yet
    std::uint64_t virtual_size = 0;  // with CRLF line ends (RFC822.SIZE); 0 = not known yet, ask Mailbox::virtual_size
};

struct MailboxStatus {
    std::uint32_t messages = 0, recent = 0, unseen = 0, deleted = 0;
    Uid uid_next;
    std::uint32_t uid_validity = 0;
    ModSeq highest_modseq;
    std::uint64_t size = 0;  // sum of virtual sizes (STATUS=SIZE)
    std::string guid;        // 32 hex digits
};

}  // namespace culver
