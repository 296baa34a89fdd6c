// TransactionBuilder: the records of one transaction of the index log, encoded (docs/index-format.md).
// MailboxState::apply is the reader.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib-storage/index/byte-codec.h"
#include "lib-storage/index/message.h"
#include "lib-storage/types.h"

namespace culver {

enum class RecordType : std::uint32_t {
    Message = 1,
    Flags = 2,
    Expunge = 3,
    Keyword = 4,
    File = 5,  // a file was found or put elsewhere, or under other flags
    Stamp = 6,
    Removed = 7,  // files of expunged messages are gone
    Recent = 8,
    Details = 9,  // dates and sizes became known
    NextUid = 10,
    Guid = 11,
};

enum class FlagsOperation : std::uint32_t { Add = 1, Remove = 2, Replace = 3 };

// Ascending uids as ranges.
std::vector<UidRange> to_ranges(std::span<const Uid> uids);

class TransactionBuilder {
public:
    void message(const NewMessage& message);
    // `ranges` hold only messages that really change; all get the transaction's modseq.
    void flags(FlagsOperation operation, const MessageFlags& flags, std::span<const UidRange> ranges);
    void expunge(std::span<const UidRange> ranges);
    void keyword(std::uint32_t index, std::string_view name);
    void file(Uid uid, std::uint8_t place, FileFlags disk, std::string_view odd_info);
    void stamp(const DiskStamp& stamp);
    void removed(std::span<const UidRange> ranges);
    void recent(Uid first_recent);
    void details(Uid uid, std::int64_t internal_date, std::int64_t save_date, std::uint64_t size,
                 std::uint64_t virtual_size);
    void next_uid(Uid next);
    void guid(std::string_view guid);

    void reserve(std::size_t bytes) { out_.bytes().reserve(out_.bytes().size() + bytes); }
    bool empty() const { return out_.bytes().empty(); }
    // True if a client could see a difference: the transaction needs a modseq of its own.
    bool is_visible() const { return visible_; }
    const std::string& payload() const { return out_.bytes(); }

private:
    void begin(RecordType type, std::size_t size);
    void ranges_body(std::span<const UidRange> ranges);

    ByteWriter out_;
    bool visible_ = false;
};

}  // namespace culver
