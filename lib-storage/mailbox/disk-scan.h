// What one look at the directories has found out (mailbox-disk-sync.cpp, mailbox-take-in.cpp).
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib-storage/index/keyed-hash.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

// A FoundFile that owns its text.
struct OwnedFile {
    std::string base, info;
    FileFlags flags = 0;
    std::uint8_t place = 0;

    static OwnedFile from(const FoundFile& found) {
        return {std::string(found.base), std::string(found.info), found.flags, found.place};
    }
    FoundFile found() const { return {base, info, flags, place}; }
    // By its exact name, whatever its info part is.
    StoredFile stored() const {
        return {base, info, static_cast<std::uint8_t>(place | (info.empty() ? 0 : kHasInfo | kOddInfo)), flags};
    }
};

// Names of the uid record that the state does not know yet.
class DiskScanNames {
public:
    void build(const UidRecord& record, MailboxState& state, std::vector<Uid>& renumbered);
    // Index in the record's entries. Each is found once.
    std::optional<std::uint32_t> take(std::string_view name, std::uint64_t hash);
    std::uint64_t hash(std::string_view name) const { return keyed_hash(name, seed_); }
    // In a large mailbox each look-up waits three times for memory: these begin the waiting early, one step each.
    void prefetch_slot(std::uint64_t hash) const {
        if (!table_.empty()) __builtin_prefetch(&table_[hash & (table_.size() - 1)]);
    }
    void prefetch_entry(std::uint64_t hash) const {
        if (const UidlistEntry* entry = guess(hash)) __builtin_prefetch(entry);
    }
    void prefetch_name(std::uint64_t hash) const {
        if (const UidlistEntry* entry = guess(hash)) __builtin_prefetch(entry->name.data());
    }
    bool lacks_messages() const { return lacks_messages_; }
    bool has_doubles() const { return has_doubles_; }

private:
    static constexpr std::uint64_t kFree = UINT64_MAX, kTaken = UINT64_MAX - 1;
    // What stands in the first slot for `hash`, right or wrong.
    const UidlistEntry* guess(std::uint64_t hash) const {
        if (table_.empty()) return nullptr;
        const std::uint64_t slot = table_[hash & (table_.size() - 1)];
        return slot >= kTaken ? nullptr : &(*entries_)[slot & UINT32_MAX];
    }
    std::size_t find_slot(std::string_view name, std::uint64_t hash) const;

    const std::vector<UidlistEntry>* entries_ = nullptr;
    std::vector<std::uint64_t> table_;  // open addressing: upper half of the hash, index in entries_
    std::uint64_t seed_ = 0;
    bool lacks_messages_ = false, has_doubles_ = false;
};

struct ScanArrival {
    std::size_t offset = 0;  // in text: base, then info
    std::uint16_t base_length = 0, info_length = 0;
    std::uint8_t place = 0;
    FileFlags flags = 0;
    std::uint32_t uid = 0;  // from the uid record, or given now
    std::uint32_t entry = UINT32_MAX;
};

struct MailboxImpl::Scan {
    bool fresh = false;                // the state knew nothing
    bool new_life = false;             // the UIDVALIDITY changed under us
    bool cur = false, in_new = false;  // what is scanned
    bool uids_read = false, uids_written = false, rewrite_uids = false;
    bool incomplete = false;  // look again soon
    UidRecord record;
    DiskScanNames names;
    DiskStamp stamp;  // before the last pass
    std::uint8_t pass = 0;
    FileFlags letters = 0;           // every keyword letter in any name
    std::vector<std::uint8_t> seen;  // per message of the state: the last pass that saw it
    std::vector<Uid> missing;
    std::map<std::uint32_t, OwnedFile> moved;  // known messages whose name or place is not as known
    std::vector<OwnedFile> duplicates, doomed_seen;
    std::unordered_map<std::string, std::uint32_t> doomed_names;
    std::vector<ScanArrival> arrivals;
    std::string text;

    std::string_view base(const ScanArrival& arrival) const {
        return {text.data() + arrival.offset, arrival.base_length};
    }
    std::string_view info(const ScanArrival& arrival) const {
        return {text.data() + arrival.offset + arrival.base_length, arrival.info_length};
    }
    void add_arrival(const FoundFile& found) {
        arrivals.push_back({text.size(), static_cast<std::uint16_t>(found.base.size()),
                            static_cast<std::uint16_t>(found.info.size()), found.place, found.flags, 0, UINT32_MAX});
        text += found.base;
        text += found.info;
    }
    // The arrivals that the uid record knows, by UID, and the others, by age, each once.
    struct SortedArrivals {
        std::vector<ScanArrival> known, fresh;
    };
    SortedArrivals sort_arrivals();
    void drop_known(SortedArrivals& sorted) const;
    // What the name and the uid record say; points into them.
    NewMessage describe(const ScanArrival& arrival) const;
    // Messages that no pass has seen, though they should lie where it looked.
    void find_missing(const MailboxState& state) {
        missing.clear();
        if (fresh) return;
        const auto& messages = state.messages();
        for (std::size_t i = 0; i < messages.size(); ++i) {
            if (messages[i].is_gone() || seen[i] != 0) continue;
            if ((messages[i].place & kInNew) != 0 ? in_new : cur) missing.push_back({messages[i].uid});
        }
    }
};

}  // namespace culver
