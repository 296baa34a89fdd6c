// Messages that lie in the directories and are not in the index yet: they get the UIDs that dovecot-uidlist has for
// them, or new ones that are written there first.
#include <fmt/format.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-storage/mailbox/disk-scan.h"

namespace culver {

namespace {

constexpr std::size_t kStatAtOnce = 200;  // more are looked at when somebody asks for their dates

// The time in front of a Maildir name and the microseconds in it (".M123"); names of other shapes come last.
std::pair<std::uint64_t, std::uint64_t> time_in_name(std::string_view base) {
    auto dot = base.find('.');
    auto seconds = parse_uint64(base.substr(0, dot));
    if (!seconds) return {UINT64_MAX, 0};
    std::uint64_t microseconds = 0;
    std::string_view rest = dot == std::string_view::npos ? std::string_view() : base.substr(dot + 1);
    if (auto mark = rest.find('M'); mark != std::string_view::npos) {
        rest.remove_prefix(mark + 1);
        microseconds = parse_uint64(rest.substr(0, rest.find_first_not_of("0123456789"))).value_or(0);
    }
    return {*seconds, microseconds};
}

}  // namespace

MailboxImpl::Scan::SortedArrivals MailboxImpl::Scan::sort_arrivals() {
    SortedArrivals sorted;
    sorted.known.reserve(arrivals.size());
    std::vector<ScanArrival> unknown;
    std::vector<std::uint64_t> hashes;
    hashes.reserve(arrivals.size());
    for (const ScanArrival& arrival : arrivals) hashes.push_back(names.hash(base(arrival)));
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        if (i + 24 < hashes.size()) names.prefetch_slot(hashes[i + 24]);
        if (i + 16 < hashes.size()) names.prefetch_entry(hashes[i + 16]);
        if (i + 8 < hashes.size()) names.prefetch_name(hashes[i + 8]);
        ScanArrival& arrival = arrivals[i];
        if (auto entry = names.take(base(arrival), hashes[i])) {
            arrival.entry = *entry;
            arrival.uid = record.list.entries[*entry].uid;
            sorted.known.push_back(arrival);
        } else {
            unknown.push_back(arrival);
        }
    }
    std::sort(sorted.known.begin(), sorted.known.end(), [](const auto& a, const auto& b) { return a.uid < b.uid; });
    std::sort(unknown.begin(), unknown.end(), [&](const auto& a, const auto& b) {
        auto time_a = time_in_name(base(a)), time_b = time_in_name(base(b));
        return time_a != time_b ? time_a < time_b : base(a) < base(b);
    });
    // Found twice (in two passes, or in new/ and cur/): the last sighting counts; a known one is not unknown.
    for (const ScanArrival& arrival : unknown) {
        if (!sorted.fresh.empty() && base(sorted.fresh.back()) == base(arrival)) sorted.fresh.back() = arrival;
        else sorted.fresh.push_back(arrival);
    }
    if (pass > 1 && !sorted.known.empty()) drop_known(sorted);
    return sorted;
}

void MailboxImpl::Scan::drop_known(SortedArrivals& sorted) const {
    std::vector<std::string_view> known_names;
    for (const auto& arrival : sorted.known) known_names.push_back(base(arrival));
    std::sort(known_names.begin(), known_names.end());
    std::erase_if(sorted.fresh, [&](const auto& arrival) {
        return std::binary_search(known_names.begin(), known_names.end(), base(arrival));
    });
}

NewMessage MailboxImpl::Scan::describe(const ScanArrival& arrival) const {
    NewMessage message;
    message.uid = {arrival.uid};
    message.base = base(arrival);
    message.place = arrival.place;
    message.disk = arrival.flags;
    message.flags = from_file_flags(arrival.flags, {});
    if ((arrival.place & kOddInfo) != 0) message.odd_info = info(arrival);
    message.size = size_in_name(message.base).value_or(0);
    message.virtual_size = virtual_size_in_name(message.base).value_or(0);
    if (arrival.entry == UINT32_MAX) return message;
    message.fields = record.list.entries[arrival.entry].fields;
    if (message.size == 0) message.size = parse_uint64(uidlist_field(message.fields, 'S')).value_or(0);
    if (message.virtual_size == 0) message.virtual_size = parse_uint64(uidlist_field(message.fields, 'W')).value_or(0);
    return message;
}

Status MailboxImpl::take_in_new_files(MailboxWriter& writer, Scan& scan) {
    auto [known, fresh] = scan.sort_arrivals();
    std::uint32_t next = std::max(state_.next_uid, scan.record.exists ? scan.record.list.next_uid : 1U);
    for (ScanArrival& arrival : fresh) {
        if (next >= UINT32_MAX - 1) return fail(ErrorCode::Limit, "Mailbox " + paths_.mail + " has used up its UIDs");
        arrival.uid = next++;
    }
    if (!fresh.empty() && !read_only_) {
        if (Status recorded = record_uids(writer, scan, fresh); !recorded) {
            // Without a recorded UID a message must not be shown: it would have another one after a crash.
            if (!hiding_logged_.exchange(true))
                log_error(
                    "Mailbox " + paths_.mail +
                    ": new messages stay hidden until dovecot-uidlist can be written: " + recorded.error().detail);
            scan.incomplete = true;
            fresh.clear();
        } else {
            hiding_logged_ = false;
        }
    }
    known.insert(known.end(), fresh.begin(), fresh.end());
    scan.arrivals = std::move(known);
    return log_arrivals(writer, scan);
}

// One transaction for all of them.
Status MailboxImpl::log_arrivals(MailboxWriter& writer, Scan& scan) {
    const bool stat_now = scan.arrivals.size() <= kStatAtOnce;
    std::uint32_t highest_in_cur = 0;
    constexpr std::size_t kMany = 1000, kRecordSize = 96;
    if (scan.arrivals.size() > kMany) {
        writer.transaction.reserve(scan.arrivals.size() * kRecordSize + scan.text.size());
        std::unique_lock lock(state_mutex_);
        state_.reserve(scan.arrivals.size(), scan.text.size());
    }
    for (const ScanArrival& arrival : scan.arrivals) {
        NewMessage message = scan.describe(arrival);
        if (stat_now) {
            StoredFile file{message.base, message.odd_info, message.place, message.disk};
            if (auto times = format_->times(file)) {
                message.internal_date = times->modified;
                message.save_date = times->changed;
                if (message.size == 0) message.size = times->size;
            }
        }
        if ((arrival.place & kInNew) == 0) highest_in_cur = arrival.uid;
        writer.transaction.message(message);
    }
    if (scan.fresh && highest_in_cur != 0) writer.transaction.recent({highest_in_cur + 1});
    if (scan.record.exists && scan.record.list.next_uid > state_.next_uid)
        writer.transaction.next_uid({scan.record.list.next_uid});
    return writer.commit();
}

// Writes the new UIDs down. If the file is to be rewritten anyway, that comes later and from the state.
Status MailboxImpl::record_uids(MailboxWriter& writer, Scan& scan, std::span<const ScanArrival> fresh) {
    TRY(writer.lock_uids());
    DiskStamp now = TRY(format_->stamp());
    if (now.uidlist_inode == 0 || scan.rewrite_uids) return {};
    if (!scan.uids_read &&
        (now.uidlist_inode != state_.stamp.uidlist_inode || now.uidlist_size != state_.stamp.uidlist_size))
        return fail(ErrorCode::InUse, "dovecot-uidlist changed meanwhile");
    std::string lines;
    for (const ScanArrival& arrival : fresh) append_uidlist_line(lines, arrival.uid, {}, scan.base(arrival));
    TRY(format_->append_uids(lines, now.uidlist_size));
    scan.uids_written = true;
    return {};
}

// dovecot-uidlist from the state, durable. Fields that Culver does not know are in the state as well.
Status MailboxImpl::rewrite_uid_record(MailboxWriter& writer) {
    TRY(writer.lock_uids());
    std::string other_fields;
    if (auto record = format_->read_uids(); record && record->exists) other_fields = record->list.other_fields;
    std::string text = format_uidlist_header(state_.uid_validity, state_.next_uid, state_.guid, other_fields);
    text.reserve(state_.counts.messages * 64);
    for (const Message& message : state_.messages())
        if (!message.is_gone())
            append_uidlist_line(text, message.uid, state_.fields(message.uid), state_.base(message));
    TRY(format_->rewrite_uids(text, true));
    durable_uid_ = state_.next_uid - 1;
    return {};
}

}  // namespace culver
