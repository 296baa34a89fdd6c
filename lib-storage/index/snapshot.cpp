#include "lib-storage/index/snapshot.h"

#include "lib-base/file.h"
#include "lib-storage/index/byte-codec.h"
#include "lib-storage/index/crc32c.h"

namespace culver {

namespace {

constexpr std::string_view kMagic = "CULVIDX1";
constexpr std::size_t kPrefix = 16;  // magic, checksum, zero

void put_texts(ByteWriter& out, const std::unordered_map<std::uint32_t, std::string>& texts) {
    out.number<std::uint32_t>(static_cast<std::uint32_t>(texts.size()));
    for (const auto& [uid, text] : texts) out.number<std::uint32_t>(uid).counted(text);
}

std::unordered_map<std::uint32_t, std::string> take_texts(ByteReader& in) {
    std::unordered_map<std::uint32_t, std::string> texts;
    for (auto count = in.number<std::uint32_t>(); count > 0 && in.ok(); --count) {
        auto uid = in.number<std::uint32_t>();
        texts[uid] = in.counted();
    }
    return texts;
}

template <typename T>
std::vector<T> take_array(ByteReader& in) {
    auto count = in.number<std::uint64_t>();
    if (count > in.left() / sizeof(T)) {
        in.fail();
        return {};
    }
    std::string_view bytes = in.raw(static_cast<std::size_t>(count) * sizeof(T));
    std::vector<T> array(static_cast<std::size_t>(count));
    if (count > 0) std::memcpy(static_cast<void*>(array.data()), bytes.data(), bytes.size());
    return array;
}

void put_numbers(ByteWriter& out, const MailboxState& state, const SnapshotPosition& position) {
    out.number<std::uint64_t>(position.log_id).number<std::uint64_t>(position.old_log_id);
    out.number<std::uint64_t>(position.old_log_offset);
    out.number<std::uint32_t>(state.uid_validity).number<std::uint32_t>(state.next_uid);
    out.number<std::uint32_t>(state.first_recent).number<std::uint32_t>(0);
    out.number<std::uint64_t>(state.highest_modseq).number<std::uint64_t>(state.history_floor);
    out.number<std::int64_t>(state.stamp.cur_mtime).number<std::int64_t>(state.stamp.new_mtime);
    out.number<std::uint64_t>(state.stamp.uidlist_inode).number<std::uint64_t>(state.stamp.uidlist_size);
    out.number<std::int64_t>(state.stamp.uidlist_mtime).number<std::uint64_t>(state.stamp.unsure);
}

void take_numbers(ByteReader& in, MailboxState& state, SnapshotPosition& position) {
    position.log_id = in.number<std::uint64_t>();
    position.old_log_id = in.number<std::uint64_t>();
    position.old_log_offset = in.number<std::uint64_t>();
    state.uid_validity = in.number<std::uint32_t>();
    state.next_uid = in.number<std::uint32_t>();
    state.first_recent = in.number<std::uint32_t>();
    in.number<std::uint32_t>();
    state.highest_modseq = in.number<std::uint64_t>();
    state.history_floor = in.number<std::uint64_t>();
    state.stamp.cur_mtime = in.number<std::int64_t>();
    state.stamp.new_mtime = in.number<std::int64_t>();
    state.stamp.uidlist_inode = in.number<std::uint64_t>();
    state.stamp.uidlist_size = in.number<std::uint64_t>();
    state.stamp.uidlist_mtime = in.number<std::int64_t>();
    state.stamp.unsure = in.number<std::uint64_t>();
}

void put_doomed(ByteWriter& out, const MailboxState& state) {
    out.number<std::uint32_t>(static_cast<std::uint32_t>(state.doomed.size()));
    for (const auto& [uid, file] : state.doomed) {
        out.number<std::uint32_t>(uid).number<std::uint32_t>(file.place).number<std::uint32_t>(file.disk);
        out.counted(file.base).counted(file.odd_info);
    }
}

void take_doomed(ByteReader& in, MailboxState& state) {
    for (auto count = in.number<std::uint32_t>(); count > 0 && in.ok(); --count) {
        auto uid = in.number<std::uint32_t>();
        DoomedFile file;
        file.place = static_cast<std::uint8_t>(in.number<std::uint32_t>() & (kInNew | kHasInfo | kOddInfo));
        file.disk = in.number<std::uint32_t>();
        file.base = in.counted();
        file.odd_info = in.counted();
        if (file.base.empty() || file.base.find('/') != std::string::npos ||
            file.odd_info.find('/') != std::string::npos) {
            in.fail();
            return;
        }
        state.doomed.emplace(uid, std::move(file));
    }
}

}  // namespace

std::string encode_snapshot(const MailboxState& state, const SnapshotPosition& position) {
    ByteWriter out;
    out.bytes().reserve(256 + state.messages().size() * sizeof(Message) + state.names().size());
    put_numbers(out, state, position);
    out.counted(state.guid);
    out.number<std::uint64_t>(state.messages().size());
    out.raw({reinterpret_cast<const char*>(state.messages().data()), state.messages().size() * sizeof(Message)});
    out.number<std::uint64_t>(state.names().size()).raw({state.names().data(), state.names().size()});
    out.number<std::uint64_t>(state.keyword_sets().size());
    static const KeywordSet kLow(~0ULL);
    for (const KeywordSet& set : state.keyword_sets())
        out.number<std::uint64_t>((set & kLow).to_ullong()).number<std::uint64_t>((set >> 64).to_ullong());
    out.number<std::uint32_t>(static_cast<std::uint32_t>(state.keywords.size()));
    for (const std::string& keyword : state.keywords) out.counted(keyword);
    put_texts(out, state.all_odd_infos());
    put_texts(out, state.all_fields());
    put_doomed(out, state);
    out.number<std::uint64_t>(state.expunges.size());
    for (const ExpungeRun& run : state.expunges)
        out.number<std::uint64_t>(run.modseq).number<std::uint32_t>(run.first).number<std::uint32_t>(run.last);
    ByteWriter file;
    file.bytes().reserve(kPrefix + out.bytes().size());
    file.raw(kMagic).number<std::uint32_t>(crc32c(out.bytes())).number<std::uint32_t>(0).raw(out.bytes());
    return std::move(file.bytes());
}

Result<SnapshotPosition> decode_snapshot(std::string_view bytes, MailboxState& state) {
    ByteReader prefix(bytes);
    if (prefix.raw(kMagic.size()) != kMagic) return fail(ErrorCode::Corrupt, "culver.index is no index");
    auto sum = prefix.number<std::uint32_t>();
    if (bytes.size() < kPrefix || crc32c(bytes.substr(kPrefix)) != sum)
        return fail(ErrorCode::Corrupt, "culver.index has a wrong checksum");
    ByteReader in(bytes.substr(kPrefix));
    SnapshotPosition position;
    take_numbers(in, state, position);
    state.guid = in.counted();
    auto messages = take_array<Message>(in);
    auto names = take_array<char>(in);
    auto set_count = in.number<std::uint64_t>();
    if (set_count > in.left() / 16) in.fail();
    std::vector<KeywordSet> sets;
    for (; set_count > 0 && in.ok(); --set_count) {
        KeywordSet low(in.number<std::uint64_t>());
        KeywordSet high(in.number<std::uint64_t>());
        sets.push_back(low | (high << 64));
    }
    auto keyword_count = in.number<std::uint32_t>();
    if (keyword_count > kKeywordLimit) in.fail();
    for (; keyword_count > 0 && in.ok(); --keyword_count) state.keywords.emplace_back(in.counted());
    auto odd_infos = take_texts(in);
    auto fields = take_texts(in);
    take_doomed(in, state);
    auto run_count = in.number<std::uint64_t>();
    if (run_count > in.left() / 16) in.fail();
    for (; run_count > 0 && in.ok(); --run_count) {
        ExpungeRun run;
        run.modseq = in.number<std::uint64_t>();
        run.first = in.number<std::uint32_t>();
        run.last = in.number<std::uint32_t>();
        if (run.first == 0 || run.first > run.last || run.modseq > state.highest_modseq) in.fail();
        state.expunges.push_back(run);
    }
    if (!in.ok() || !in.at_end() || state.uid_validity == 0)
        return fail(ErrorCode::Corrupt, "culver.index does not parse");
    TRY(state.adopt(std::move(messages), std::move(names), std::move(sets), std::move(odd_infos), std::move(fields)));
    return position;
}

Result<SnapshotPosition> load_snapshot(const std::string& path, MailboxState& state) {
    auto bytes = read_file(path, std::size_t{4} << 30);
    if (!bytes && (bytes.error().code == ErrorCode::InvalidArgument || bytes.error().code == ErrorCode::Limit))
        bytes.error().code = ErrorCode::Corrupt;  // a directory, a FIFO, something huge
    if (!bytes) return fail(std::move(bytes).error());
    return decode_snapshot(*bytes, state);
}

}  // namespace culver
