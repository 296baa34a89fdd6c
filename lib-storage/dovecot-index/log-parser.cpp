// dovecot.index.log: a header, then transactions: an encoded size, a type, the changes.
#include <algorithm>
#include <utility>

#include "lib-storage/dovecot-index/snapshot-parser.h"

namespace culver::dovecot_index {

namespace {

constexpr std::size_t kLogHeader = 24;  // what every version has
constexpr std::size_t kTransactionHeader = 8;
constexpr std::size_t kWorkLimit = 100'000'000;  // messages touched by ranges, all together

enum Type : std::uint32_t {
    kExpunge = 0x1,
    kAppend = 0x2,
    kHeaderUpdate = 0x20,
    kKeywordUpdate = 0x400,
    kKeywordReset = 0x800,
    kExpungeGuid = 0x2000,
    kModSeqUpdate = 0x8000,
    kTypeMask = 0x0fffffff,
    kExternal = 0x10000000,  // it has happened; otherwise it is a wish
    kExpungeGuard = 0xcd90,  // set in expunges, so that a flipped bit makes none
};

enum class Modify : std::uint8_t { Add, Remove, Replace };

// Sizes are written last, with the high bit of each byte set: 7 bits a byte, highest first, in units of 4 bytes.
std::optional<std::size_t> decode_size(std::string_view bytes, std::size_t at) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[at + i]);
        if ((byte & 0x80) == 0) return std::nullopt;
        size = (size << 7) | (byte & 0x7f);
    }
    return size * 4;
}

class LogReader {
public:
    explicit LogReader(Model& model) : model_(model) {}

    void apply(std::uint32_t type, std::string_view data) {
        ++model_.highest_modseq;  // Dovecot counts some of them only; never lower is what matters
        const std::uint32_t kind = type & kTypeMask;
        if (kind == (kExpunge | kExpungeGuard)) {
            if ((type & kExternal) != 0) expunge_ranges(data);
        } else if (kind == (kExpungeGuid | kExpungeGuard)) {
            if ((type & kExternal) != 0) expunge_uids(data);
        } else if (kind == kAppend) {
            append(data);
        } else if (kind == kHeaderUpdate) {
            update_header(data);
        } else if (kind == kKeywordUpdate) {
            update_keyword(data);
        } else if (kind == kKeywordReset) {
            for_ranges(data, [](Message& message) { message.keywords.reset(); });
        } else if (kind == kModSeqUpdate) {
            update_modseqs(data);
        }
    }
    bool is_exhausted() const { return work_ > kWorkLimit; }

private:
    template <typename Change>
    void for_ranges(std::string_view data, const Change& change) {
        for (std::size_t at = 0; at + 8 <= data.size() && !is_exhausted(); at += 8) {
            const auto first = field_at<std::uint32_t>(data, at), last = field_at<std::uint32_t>(data, at + 4);
            auto it = std::lower_bound(model_.messages.begin(), model_.messages.end(), first,
                                       [](const Message& message, std::uint32_t uid) { return message.uid < uid; });
            ++work_;
            for (; it != model_.messages.end() && it->uid <= last && !is_exhausted(); ++it, ++work_) change(*it);
        }
    }

    void remove_marked(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> sorted = ranges;
        std::sort(sorted.begin(), sorted.end());
        std::size_t next = 0;
        std::uint64_t gone_to = 0;  // every uid below it and not below the range's begin is gone
        std::erase_if(model_.messages, [&](const Message& message) {
            while (next < sorted.size() && sorted[next].first <= message.uid)
                gone_to = std::max(gone_to, std::uint64_t{sorted[next++].second} + 1);
            return message.uid < gone_to;
        });
        work_ += model_.messages.size() + ranges.size();
    }

    void expunge_ranges(std::string_view data) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
        for (std::size_t at = 0; at + 8 <= data.size(); at += 8)
            ranges.emplace_back(field_at<std::uint32_t>(data, at), field_at<std::uint32_t>(data, at + 4));
        remove_marked(ranges);
    }

    void expunge_uids(std::string_view data) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
        for (std::size_t at = 0; at + 20 <= data.size(); at += 20) {
            const auto uid = field_at<std::uint32_t>(data, at);
            ranges.emplace_back(uid, uid);
        }
        remove_marked(ranges);
    }

    void append(std::string_view data) {
        for (std::size_t at = 0; at + 8 <= data.size(); at += 8) {
            const auto uid = field_at<std::uint32_t>(data, at);
            if (uid == 0 || (!model_.messages.empty() && uid <= model_.messages.back().uid)) continue;
            model_.messages.push_back({uid, {}});
            if (uid >= model_.next_uid && uid != UINT32_MAX) model_.next_uid = uid + 1;
        }
    }

    // Changes to the base header: { offset, size, bytes }, padded to 4.
    void update_header(std::string_view data) {
        for (std::size_t at = 0; at + 4 <= data.size();) {
            const std::size_t offset = field_at<std::uint16_t>(data, at), size = field_at<std::uint16_t>(data, at + 2);
            if (size > data.size() - at - 4) return;
            const std::string_view bytes = data.substr(at + 4, size);
            patch(bytes, offset, 24, model_.uid_validity);
            patch(bytes, offset, 28, model_.next_uid);
            at += 4 + ((size + 3) & ~std::size_t{3});
        }
    }

    static void patch(std::string_view bytes, std::size_t offset, std::size_t field, std::uint32_t& value) {
        if (offset <= field && field + 4 <= offset + bytes.size())
            value = field_at<std::uint32_t>(bytes, field - offset);
    }

    void update_keyword(std::string_view data) {
        if (data.size() < 4) return;
        const auto modify = static_cast<Modify>(data[0]);
        const std::size_t name_size = field_at<std::uint16_t>(data, 2);
        const std::size_t ranges_at = 4 + ((name_size + 3) & ~std::size_t{3});
        if (ranges_at > data.size()) return;
        const auto keyword = model_.keyword(data.substr(4, name_size));
        if (!keyword) return;
        for_ranges(data.substr(ranges_at), [&](Message& message) {
            if (modify == Modify::Replace) message.keywords.reset();
            message.keywords.set(*keyword, modify != Modify::Remove);
        });
    }

    void update_modseqs(std::string_view data) {
        for (std::size_t at = 0; at + 12 <= data.size(); at += 12) {
            const std::uint64_t low = field_at<std::uint32_t>(data, at + 4),
                                high = field_at<std::uint32_t>(data, at + 8);
            model_.highest_modseq = std::max(model_.highest_modseq, high << 32 | low);
        }
    }

    Model& model_;
    std::size_t work_ = 0;
};

}  // namespace

std::optional<std::uint32_t> log_sequence(std::string_view bytes) {
    if (bytes.size() < kLogHeader || bytes[0] != 1) return std::nullopt;
    return field_at<std::uint32_t>(bytes, 8);
}

Status apply_log(std::string_view bytes, std::size_t offset, Model& model) {
    const std::size_t header_size = field_at<std::uint16_t>(bytes, 2);
    if (!log_sequence(bytes) || header_size < kLogHeader || header_size > bytes.size())
        return fail(ErrorCode::Corrupt, "dovecot.index.log: its header cannot be read");
    if (header_size >= 32) model.highest_modseq = std::max(model.highest_modseq, field_at<std::uint64_t>(bytes, 24));
    LogReader reader(model);
    std::size_t at = std::max(offset, header_size);
    while (at <= bytes.size() && bytes.size() - at >= kTransactionHeader) {
        const auto size = decode_size(bytes, at);
        if (!size || *size < kTransactionHeader || *size > bytes.size() - at) break;
        reader.apply(field_at<std::uint32_t>(bytes, at + 4),
                     bytes.substr(at + kTransactionHeader, *size - kTransactionHeader));
        if (reader.is_exhausted()) return fail(ErrorCode::Limit, "dovecot.index.log: too many changes");
        at += *size;
    }
    return {};
}

}  // namespace culver::dovecot_index
