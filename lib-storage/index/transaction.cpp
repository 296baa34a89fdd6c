#include "lib-storage/index/transaction.h"

namespace culver {

namespace {

void put_keywords(ByteWriter& out, const KeywordSet& keywords) {
    static const KeywordSet kLow(~0ULL);
    out.number<std::uint64_t>((keywords & kLow).to_ullong()).number<std::uint64_t>((keywords >> 64).to_ullong());
}

}  // namespace

std::vector<UidRange> to_ranges(std::span<const Uid> uids) {
    std::vector<UidRange> ranges;
    for (Uid uid : uids) {
        if (!ranges.empty() && ranges.back().last.value + 1 == uid.value) ranges.back().last = uid;
        else ranges.push_back({uid, uid});
    }
    return ranges;
}

void TransactionBuilder::begin(RecordType type, std::size_t size) {
    out_.number<std::uint32_t>(static_cast<std::uint32_t>(type))
        .number<std::uint32_t>(static_cast<std::uint32_t>(size));
}

void TransactionBuilder::ranges_body(std::span<const UidRange> ranges) {
    for (const UidRange& range : ranges)
        out_.number<std::uint32_t>(range.first.value).number<std::uint32_t>(range.last.value);
}

void TransactionBuilder::message(const NewMessage& message) {
    constexpr std::size_t kFixedSize = 4 + 1 + 1 + 2 + 4 + 16 + 4 * 8 + 3 * 4;
    begin(RecordType::Message, kFixedSize + message.base.size() + message.odd_info.size() + message.fields.size());
    out_.number<std::uint32_t>(message.uid.value).number<std::uint8_t>(message.flags.system);
    out_.number<std::uint8_t>(message.place).number<std::uint16_t>(0).number<std::uint32_t>(message.disk);
    put_keywords(out_, message.flags.keywords);
    out_.number<std::int64_t>(message.internal_date).number<std::int64_t>(message.save_date);
    out_.number<std::uint64_t>(message.size).number<std::uint64_t>(message.virtual_size);
    out_.counted(message.base).counted(message.odd_info).counted(message.fields);
    visible_ = true;
}

void TransactionBuilder::flags(FlagsOperation operation, const MessageFlags& flags, std::span<const UidRange> ranges) {
    begin(RecordType::Flags, 24 + ranges.size() * 8);
    out_.number<std::uint32_t>(static_cast<std::uint32_t>(operation)).number<std::uint32_t>(flags.system);
    put_keywords(out_, flags.keywords);
    ranges_body(ranges);
    visible_ = true;
}

void TransactionBuilder::expunge(std::span<const UidRange> ranges) {
    begin(RecordType::Expunge, ranges.size() * 8);
    ranges_body(ranges);
    visible_ = true;
}

void TransactionBuilder::keyword(std::uint32_t index, std::string_view name) {
    begin(RecordType::Keyword, 4 + name.size());
    out_.number<std::uint32_t>(index).raw(name);
}

void TransactionBuilder::file(Uid uid, std::uint8_t place, FileFlags disk, std::string_view odd_info) {
    begin(RecordType::File, 12 + odd_info.size());
    out_.number<std::uint32_t>(uid.value).number<std::uint32_t>(place).number<std::uint32_t>(disk).raw(odd_info);
}

void TransactionBuilder::stamp(const DiskStamp& stamp) {
    begin(RecordType::Stamp, sizeof stamp);
    out_.number<std::int64_t>(stamp.cur_mtime).number<std::int64_t>(stamp.new_mtime);
    out_.number<std::uint64_t>(stamp.uidlist_inode).number<std::uint64_t>(stamp.uidlist_size);
    out_.number<std::int64_t>(stamp.uidlist_mtime).number<std::uint64_t>(stamp.unsure);
}

void TransactionBuilder::removed(std::span<const UidRange> ranges) {
    begin(RecordType::Removed, ranges.size() * 8);
    ranges_body(ranges);
}

void TransactionBuilder::recent(Uid first_recent) {
    begin(RecordType::Recent, 4);
    out_.number<std::uint32_t>(first_recent.value);
}

void TransactionBuilder::details(Uid uid, std::int64_t internal_date, std::int64_t save_date, std::uint64_t size,
                                 std::uint64_t virtual_size) {
    begin(RecordType::Details, 36);
    out_.number<std::uint32_t>(uid.value).number<std::int64_t>(internal_date).number<std::int64_t>(save_date);
    out_.number<std::uint64_t>(size).number<std::uint64_t>(virtual_size);
}

void TransactionBuilder::next_uid(Uid next) {
    begin(RecordType::NextUid, 4);
    out_.number<std::uint32_t>(next.value);
}

void TransactionBuilder::guid(std::string_view guid) {
    begin(RecordType::Guid, guid.size());
    out_.raw(guid);
}

}  // namespace culver
