// Message: one message as the index holds it, in memory and in the snapshot byte for byte (docs/index-format.md).
#pragma once

#include <cstdint>
#include <string>

#include "lib-storage/maildir/file-name.h"
#include "lib-storage/types.h"

namespace culver {

inline constexpr std::int64_t kUnknownDate = INT64_MIN;

// Where the file lies and what its name looks like.
enum Place : std::uint8_t {
    kInNew = 1,    // new/, else cur/
    kHasInfo = 2,  // the name has an info part
    kOddInfo = 4,  // and it is not what format_info writes: MailboxState::odd_info has it
    kGone = 128,   // expunged; kept in its place until the next snapshot, so that nothing has to move
};

struct Message {
    std::uint32_t uid = 0;
    std::uint32_t name_offset = 0;  // of the base name, in the arena
    std::uint16_t name_length = 0;
    std::uint8_t system = 0;
    std::uint8_t place = 0;
    FileFlags disk = 0;  // the flags in the file's name; when they differ from the message's, a rename is due
    std::uint64_t modseq = 0;
    std::int64_t internal_date = kUnknownDate;
    std::int64_t save_date = kUnknownDate;
    std::uint64_t size = 0;          // 0 = unknown
    std::uint64_t virtual_size = 0;  // 0 = unknown
    std::uint32_t keywords = 0;      // index in the table of keyword sets
    std::uint32_t reserved = 0;

    bool is_gone() const { return (place & kGone) != 0; }
};
static_assert(sizeof(Message) == 64);

// What the index knew of the directories and the uidlist when it last agreed with them.
struct DiskStamp {
    std::int64_t cur_mtime = 0, new_mtime = 0;  // nanoseconds; 0 = never looked
    std::uint64_t uidlist_inode = 0, uidlist_size = 0;
    std::int64_t uidlist_mtime = 0;
    std::uint64_t unsure = 0;  // 1: cur/, 2: new/ changed so shortly before the scan that its mtime proves nothing
    bool operator==(const DiskStamp&) const = default;
};
inline constexpr std::uint64_t kUnsureCur = 1, kUnsureNew = 2;

// A message that is about to enter the index.
struct NewMessage {
    Uid uid;
    std::string base;
    std::string odd_info;  // with kOddInfo
    std::string fields;    // what its uidlist line holds besides ("G..", "P..")
    MessageFlags flags;
    FileFlags disk = 0;
    std::uint8_t place = 0;
    std::int64_t internal_date = kUnknownDate, save_date = kUnknownDate;
    std::uint64_t size = 0, virtual_size = 0;
};

}  // namespace culver
