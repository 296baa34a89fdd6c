// What changed in the directories and in dovecot-uidlist without us: deliveries by other programs, flags set by other
// clients of the Maildir, Dovecot itself. Runs under the lock, so no Culver process renames anything meanwhile.
//
// One scan is never believed for a loss: a file that another program renames during readdir may be missed.
#include <fmt/format.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"
#include "lib-storage/index/cache-file.h"
#include "lib-storage/index/keyed-hash.h"
#include "lib-storage/mailbox/disk-scan.h"

namespace culver {

namespace {

constexpr std::int64_t kUnsureNanoseconds = 2'000'000'000;
constexpr int kScanAttempts = 5;

std::int64_t current_time_ns() { return current_time_ms() * 1'000'000; }

bool is_same_uid_record(const DiskStamp& a, const DiskStamp& b) {
    return a.uidlist_inode == b.uidlist_inode && a.uidlist_size == b.uidlist_size && a.uidlist_mtime == b.uidlist_mtime;
}

std::uint64_t unsure_bits(const DiskStamp& stamp) {
    std::int64_t limit = current_time_ns() - kUnsureNanoseconds;
    return (stamp.cur_mtime > limit ? kUnsureCur : 0) | (stamp.new_mtime > limit ? kUnsureNew : 0);
}

// Changed, or so fresh when it was last scanned that it may have changed without showing.
bool must_scan(std::int64_t known, std::int64_t now, bool unsure) {
    return known != now || (unsure && current_time_ns() > known + kUnsureNanoseconds);
}

}  // namespace

bool MailboxImpl::needs_disk_sync(const DiskStamp& now) const {
    const DiskStamp& known = state_.stamp;
    return must_scan(known.cur_mtime, now.cur_mtime, (known.unsure & kUnsureCur) != 0) ||
           must_scan(known.new_mtime, now.new_mtime, (known.unsure & kUnsureNew) != 0) ||
           !is_same_uid_record(known, now);
}

Status MailboxImpl::sync_with_disk(MailboxWriter& writer, bool force) {
    DiskStamp now = TRY(format_->stamp());
    if (!force && !needs_disk_sync(now)) return {};
    Scan scan;
    scan.fresh = state_.uid_validity == 0;
    if (force || scan.fresh || !is_same_uid_record(state_.stamp, now)) TRY(sync_uid_record(writer, scan, now));
    scan.cur = force || scan.fresh ||
               must_scan(state_.stamp.cur_mtime, now.cur_mtime, (state_.stamp.unsure & kUnsureCur) != 0);
    scan.in_new = force || scan.fresh ||
                  must_scan(state_.stamp.new_mtime, now.new_mtime, (state_.stamp.unsure & kUnsureNew) != 0);
    // A foreign uidlist may rename identities: look at everything.
    if (scan.uids_read) scan.cur = scan.in_new = true;
    TRY(scan_directories(writer, scan));
    TRY(take_in_new_files(writer, scan));
    if (scan.rewrite_uids && !read_only_) {
        TRY(writer.commit());  // the messages first: the record is written from the state
        if (Status written = rewrite_uid_record(writer); !written)
            log_error("Mailbox " + paths_.mail + ": dovecot-uidlist cannot be written: " + written.error().detail);
    }
    DiskStamp after = TRY(format_->stamp());
    DiskStamp known = state_.stamp;
    if (scan.cur) known.cur_mtime = scan.stamp.cur_mtime;
    if (scan.in_new) known.new_mtime = scan.stamp.new_mtime;
    std::uint64_t scanned = (scan.cur ? kUnsureCur : 0) | (scan.in_new ? kUnsureNew : 0);
    known.unsure = (known.unsure & ~scanned) | (unsure_bits(known) & scanned);
    if (scan.incomplete) known.cur_mtime = known.new_mtime = 1;  // look again next time
    if (scan.uids_read || scan.uids_written) {
        known.uidlist_inode = after.uidlist_inode;
        known.uidlist_size = after.uidlist_size;
        known.uidlist_mtime = after.uidlist_mtime;
    }
    if (known != state_.stamp) writer.transaction.stamp(known);
    TRY(writer.commit());
    if (scan.new_life) {
        std::lock_guard lock(cache_mutex_);
        cache_.reset();
    }
    if (scan.new_life && has_index_files()) TRY(checkpoint(false));
    if (!scan.doomed_seen.empty() || !state_.unsettled.empty()) schedule_flush();
    return {};
}

// Reads dovecot-uidlist; makes or mends it if it is not there or broken.
Status MailboxImpl::sync_uid_record(MailboxWriter& writer, Scan& scan, const DiskStamp&) {
    if (!read_only_) TRY(writer.lock_uids());
    auto record = format_->read_uids();
    if (!record && record.error().code != ErrorCode::Corrupt) return fail(std::move(record).error());
    scan.uids_read = true;
    if (!record || !record->exists) {
        if (!record)
            log_error(fmt::format("Mailbox {}: {}; it is written anew{}", paths_.mail, record.error().detail,
                                  scan.fresh ? " with a new UIDVALIDITY" : " from the index, no UID changes"));
        scan.rewrite_uids = true;
        if (!scan.fresh) return {};
        // A mailbox without any UIDs, or with unreadable ones: it begins a new life.
        std::uint32_t validity =
            read_only_ ? static_cast<std::uint32_t>(current_time()) : TRY(format_->new_uid_validity());
        std::unique_lock lock(state_mutex_);
        state_.uid_validity = validity;
        state_.guid = hex_encode(random_bytes(16));
        return {};
    }
    scan.record = std::move(*record);
    // The views point into the text, which has moved.
    scan.record.list = TRY(parse_uidlist(scan.record.text));
    const Uidlist& list = scan.record.list;
    if (list.broken_lines > 0)
        log_warning(fmt::format("Mailbox {}: dovecot-uidlist has {} broken lines; it is written anew", paths_.mail,
                                list.broken_lines));
    scan.rewrite_uids = list.needs_rewrite || list.guid.empty() || list.valid_length != scan.record.text.size();
    std::unique_lock lock(state_mutex_);
    if (!scan.fresh && list.uid_validity != state_.uid_validity) {
        log_warning(fmt::format("Mailbox {}: UIDVALIDITY changed from {} to {} by another program", paths_.mail,
                                state_.uid_validity, list.uid_validity));
        std::uint64_t modseq = state_.highest_modseq + 1;
        state_ = MailboxState();
        state_.highest_modseq = state_.history_floor = state_.journal_floor = modseq;
        scan.fresh = true;
        scan.new_life = true;
        log_.reset();  // it tells of the old life; a new one begins below
        durable_uid_ = 0;
    }
    if (scan.fresh) {
        state_.uid_validity = list.uid_validity;
        state_.guid = list.guid.empty() ? hex_encode(random_bytes(16)) : list.guid;
    }
    return {};
}

// The slot of `name`, or the free one where it would go.
std::size_t DiskScanNames::find_slot(std::string_view name, std::uint64_t hash) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = hash & mask;
    for (; table_[slot] != kFree; slot = (slot + 1) & mask)
        if (table_[slot] >> 32 == hash >> 32 && table_[slot] != kTaken &&
            (*entries_)[table_[slot] & UINT32_MAX].name == name)
            break;
    return slot;
}

std::optional<std::uint32_t> DiskScanNames::take(std::string_view name, std::uint64_t hash) {
    if (table_.empty()) return {};
    std::size_t slot = find_slot(name, hash);
    if (table_[slot] == kFree) return {};
    return static_cast<std::uint32_t>(std::exchange(table_[slot], kTaken));
}

// Compares the record with the state: which names have UIDs that the state does not know?
void DiskScanNames::build(const UidRecord& record, MailboxState& state, std::vector<Uid>& renumbered) {
    entries_ = &record.list.entries;
    seed_ = random_uint64();
    std::vector<std::uint32_t> unknown;
    std::size_t live = 0;
    for (std::uint32_t i = 0; i < entries_->size(); ++i) {
        const UidlistEntry& entry = (*entries_)[i];
        const Message* message = entry.uid < state.next_uid ? state.find(entry.uid) : nullptr;
        if (message == nullptr) {
            if (entry.uid >= state.next_uid) unknown.push_back(i);
        } else if (state.base(*message) == entry.name) {
            ++live;
        } else {
            renumbered.push_back({message->uid});
        }
    }
    lacks_messages_ = live < state.counts.messages - renumbered.size();
    if (unknown.empty()) return;
    std::size_t size = 64;
    while (size < unknown.size() * 2) size *= 2;
    table_.assign(size, kFree);
    for (std::uint32_t index : unknown) {
        const std::uint64_t hash = keyed_hash((*entries_)[index].name, seed_);
        const std::size_t slot = find_slot((*entries_)[index].name, hash);
        if (table_[slot] == kFree) table_[slot] = (hash >> 32 << 32) | index;
        else has_doubles_ = true;
    }
}

void MailboxImpl::visit_file(Scan& scan, const FoundFile& found) {
    scan.letters |= found.flags & ~31U;
    if (!scan.fresh) {
        if (const Message* message = state_.find_base(found.base)) {
            std::size_t index = static_cast<std::size_t>(message - state_.messages().data());
            std::uint8_t& seen = scan.seen[index];
            bool as_known = message->disk == found.flags &&
                            ((message->place ^ found.place) & (kInNew | kHasInfo | kOddInfo)) == 0 &&
                            ((found.place & kOddInfo) == 0 || state_.odd_info(*message) == found.info);
            auto moved = scan.moved.find(message->uid);
            if (seen == scan.pass) {
                // The second file of that name: the one that lies where it should is the message.
                if (as_known && moved != scan.moved.end()) {
                    scan.duplicates.push_back(moved->second);
                    scan.moved.erase(moved);
                } else {
                    scan.duplicates.push_back(OwnedFile::from(found));
                }
            } else if (!as_known) {
                scan.moved.insert_or_assign(message->uid, OwnedFile::from(found));
            } else if (moved != scan.moved.end()) {
                scan.moved.erase(moved);
            }
            seen = scan.pass;
            return;
        }
    }
    if (!scan.doomed_names.empty() && scan.doomed_names.contains(std::string(found.base))) {
        scan.doomed_seen.push_back(OwnedFile::from(found));
        return;
    }
    scan.add_arrival(found);
}

Status MailboxImpl::scan_directories(MailboxWriter& writer, Scan& scan) {
    for (const auto& [uid, file] : state_.doomed) scan.doomed_names.emplace(file.base, uid);
    if (scan.uids_read && scan.record.exists) {
        std::vector<Uid> renumbered;
        scan.names.build(scan.record, state_, renumbered);
        scan.rewrite_uids = scan.rewrite_uids || scan.names.lacks_messages() || scan.names.has_doubles();
        if (!renumbered.empty()) {
            // Their files live on under other UIDs.
            auto ranges = to_ranges(renumbered);
            writer.transaction.expunge(ranges);
            writer.transaction.removed(ranges);
            TRY(writer.commit());
            scan.rewrite_uids = true;
        }
    }
    scan.seen.assign(state_.messages().size(), 0);
    for (scan.pass = 1;; ++scan.pass) {
        scan.stamp = TRY(format_->stamp());
        TRY(format_->scan(scan.cur, scan.in_new, [&](const FoundFile& found) { visit_file(scan, found); }));
        scan.find_missing(state_);
        // Known ones in the other directory: moved, or there twice? Both have to be looked at.
        const bool wandered =
            !(scan.cur && scan.in_new) && std::any_of(scan.moved.begin(), scan.moved.end(), [&](const auto& entry) {
                const Message* message = state_.find(entry.first);
                return message != nullptr && ((message->place ^ entry.second.place) & kInNew) != 0;
            });
        if (scan.missing.empty() && !wandered) break;
        DiskStamp after = TRY(format_->stamp());
        bool calm = after.cur_mtime == scan.stamp.cur_mtime && after.new_mtime == scan.stamp.new_mtime;
        if (scan.pass >= 2 && calm && !wandered) break;
        if (scan.pass >= kScanAttempts) {  // somebody is at work in there: believe nothing yet
            scan.missing.clear();
            scan.incomplete = true;
            break;
        }
        scan.cur = scan.in_new = true;
        scan.doomed_seen.clear();
    }
    settle_duplicates(scan);
    name_keyword_letters(writer, scan.letters);
    return settle_missing(writer, scan);
}

// Known messages: those that are gone, and those whose file has another name or place now.
Status MailboxImpl::settle_missing(MailboxWriter& writer, Scan& scan) {
    if (!scan.missing.empty()) {
        auto ranges = to_ranges(scan.missing);
        writer.transaction.expunge(ranges);
        writer.transaction.removed(ranges);
    }
    for (const auto& [uid, file] : scan.moved)
        if (const Message* message = state_.find(uid)) record_known_file(writer, *message, file.found());
    // What was to be removed and has another name now, or is gone.
    std::vector<Uid> gone;
    for (const auto& [base, uid] : scan.doomed_names) {
        auto seen = std::find_if(scan.doomed_seen.begin(), scan.doomed_seen.end(),
                                 [&](const auto& file) { return file.base == base; });
        if (seen == scan.doomed_seen.end()) {
            if (scan.cur && scan.in_new && !scan.incomplete) gone.push_back({uid});
        } else if (!read_only_) {
            (void)format_->remove(seen->stored());
        }
    }
    std::sort(gone.begin(), gone.end());
    if (!gone.empty()) writer.transaction.removed(to_ranges(gone));
    return writer.commit();
}

void MailboxImpl::record_known_file(MailboxWriter& writer, const Message& message, const FoundFile& found) {
    writer.transaction.file({message.uid}, found.place, found.flags,
                            (found.place & kOddInfo) != 0 ? found.info : std::string_view());
    const FileFlags wanted = state_.wanted(message);
    if (found.flags == message.disk || found.flags == wanted || state_.was_wanted(message.uid, found.flags)) return;
    // Another program changed flags: its change, on top of ours that the name does not show yet.
    const FileFlags added = found.flags & ~message.disk, removed = message.disk & ~found.flags;
    MessageFlags flags = from_file_flags((wanted & ~removed) | added, state_.keyword_set(message));
    UidRange range{{message.uid}, {message.uid}};
    writer.transaction.flags(FlagsOperation::Replace, flags, {&range, 1});
}

// Two files with one identity: left over by a crash between link and unlink, or made by a careless program.
void MailboxImpl::settle_duplicates(Scan& scan) {
    if (read_only_) return;
    for (const OwnedFile& duplicate : scan.duplicates) {
        const Message* message = state_.find_base(duplicate.base);
        if (message == nullptr) continue;
        StoredFile second = duplicate.stored();
        StoredFile first = stored_file(*message);
        if (auto moved = scan.moved.find(message->uid); moved != scan.moved.end()) first = moved->second.stored();
        if (format_->path(first) == format_->path(second)) continue;
        struct stat a, b;
        if (::lstat(format_->path(first).c_str(), &a) != 0) {
            // It was a rename during the scan.
            if (::lstat(format_->path(second).c_str(), &b) == 0) scan.moved.insert_or_assign(message->uid, duplicate);
            continue;
        }
        if (::lstat(format_->path(second).c_str(), &b) != 0) continue;
        if (a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
            (void)format_->remove(second);
            continue;
        }
        StoredFile renamed = second;
        renamed.base = format_->new_base_name();
        if (format_->link(format_->path(second), renamed)) {
            log_warning("Mailbox " + paths_.mail + ": two files are called " + duplicate.base + "; one is now " +
                        renamed.base);
            (void)format_->remove(second);
            scan.incomplete = true;
        }
    }
}

// The letters' names as dovecot-keywords has them now; a letter without a name gets one, as Dovecot names it.
void MailboxImpl::name_keyword_letters(MailboxWriter& writer, FileFlags letters) {
    auto names = format_->read_keywords();
    if (!names) return;
    for (std::uint32_t i = 0; i < names->size(); ++i) {
        const std::string& name = (*names)[i];
        if (!name.empty() && (i >= state_.keywords.size() || state_.keywords[i] != name))
            writer.transaction.keyword(i, name);
    }
    (void)writer.commit();
    names->resize(kFileKeywords);
    bool changed = false;
    for (std::uint32_t i = 0; i < kFileKeywords; ++i) {
        if ((letters & file_keyword_bit(i)) == 0 || !(*names)[i].empty()) continue;
        (*names)[i] = i < state_.keywords.size() ? state_.keywords[i] : fmt::format("unknown-{}", i);
        writer.transaction.keyword(i, (*names)[i]);
        changed = true;
    }
    (void)writer.commit();
    if (changed && !read_only_) (void)format_->write_keywords(*names, true);
}

}  // namespace culver
