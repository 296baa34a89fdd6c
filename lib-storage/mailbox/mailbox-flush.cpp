// What a change leaves for later: the file names that have to show new flags, the files of expunged messages, new/ that
// a SELECT wants emptied, the cache, a new snapshot. Everything here can die at any moment and is done again by the
// next process: the log says what is wanted, the names say what is done.
#include <algorithm>

#include "lib-base/log.h"
#include "lib-storage/index/cache-file.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

namespace {
constexpr std::size_t kBatch = 1000;  // renames or removals under one hold of the lock
constexpr std::uint32_t kMoveAtOnce = 100;
}  // namespace

void MailboxImpl::schedule_flush(std::chrono::milliseconds delay) {
    if (auto self = weak_from_this().lock()) background_->schedule(self, delay);
}

StoredFile MailboxImpl::stored_file(const Message& message) const {
    return {std::string(state_.base(message)), std::string(state_.odd_info(message)), message.place, message.disk};
}

DiskStamp MailboxImpl::own_change_stamp(const DiskStamp& before, std::uint64_t appended_to_uids) const {
    DiskStamp known = state_.stamp;
    auto after = format_->stamp();
    if (!after) return known;
    if (appended_to_uids > 0 && after->uidlist_inode == before.uidlist_inode &&
        after->uidlist_size == before.uidlist_size + appended_to_uids) {
        known.uidlist_size = after->uidlist_size;
        known.uidlist_mtime = after->uidlist_mtime;
    }
    // Only if nobody else had changed the directory since it was last looked at.
    if (before.cur_mtime == known.cur_mtime) known.cur_mtime = after->cur_mtime;
    if (before.new_mtime == known.new_mtime) known.new_mtime = after->new_mtime;
    return known;
}

std::chrono::milliseconds MailboxImpl::flush() {
    if (!is_usable()) return std::chrono::milliseconds(0);
    auto left = [this] {
        auto lock = read_lock();
        return state_.unsettled.size() + state_.doomed.size();
    };
    const std::size_t before = left();
    if (!read_only_) {
        if (Status flushed = flush_files(false); !flushed) {
            if (flush_failures_++ == 0)
                log_error("Mailbox " + paths_.mail +
                          ": file names cannot be brought up to date: " + flushed.error().detail);
            return flush_failures_ < 20 ? std::chrono::milliseconds(1000 * flush_failures_)
                                        : std::chrono::milliseconds(0);
        }
        flush_failures_ = 0;
        save_high_keywords();
        if (!temporaries_cleaned_.exchange(true)) format_->clean_temporaries();
    }
    {
        std::lock_guard lock(cache_mutex_);
        if (cache_ != nullptr) cache_->write_out();
    }
    const std::size_t after = read_only_ ? 0 : left();
    if (after == 0) return std::chrono::milliseconds(0);
    return std::chrono::milliseconds(after < before ? 1 : 1000);
}

Status MailboxImpl::flush_files(bool move_new) {
    MailboxWriter writer = TRY(begin_write());
    settling_new_ = settling_new_ || move_new;
    std::vector<std::uint32_t> uids;
    {
        std::unique_lock lock(state_mutex_);
        uids.swap(state_.unsettled);
    }
    if (settling_new_ && state_.counts.in_new > 0)
        for (const Message& message : state_.messages())
            if ((message.place & (kInNew | kGone)) == kInNew) uids.push_back(message.uid);
    std::sort(uids.begin(), uids.end());
    uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    Status settled;
    if (!uids.empty() || !state_.doomed.empty()) {
        DiskStamp before = TRY(format_->stamp());
        const bool trusted = before.cur_mtime == state_.stamp.cur_mtime && before.new_mtime == state_.stamp.new_mtime;
        settled = settle_names(writer, before, uids, settling_new_);
        const bool lost = remove_doomed(writer, trusted);
        DiskStamp stamp = own_change_stamp(before);
        if (stamp != state_.stamp) writer.transaction.stamp(stamp);
        Status committed = writer.commit();
        if (!uids.empty()) {  // not done yet
            std::unique_lock lock(state_mutex_);
            state_.unsettled.insert(state_.unsettled.end(), uids.begin(), uids.end());
        } else {
            settling_new_ = false;
        }
        TRY(committed);
        const bool astray = !settled && settled.error().code == ErrorCode::NotFound;
        if (!settled && !astray) return settled;
        if (!trusted || astray || lost) TRY(sync_with_disk(writer, astray || lost));
    } else {
        settling_new_ = false;
    }
    if (wants_checkpoint()) TRY(tidy_up(writer));
    return {};
}

// A new snapshot, and with it what is worth doing as rarely.
Status MailboxImpl::tidy_up(MailboxWriter& writer) {
    // dovecot-uidlist keeps the lines of expunged messages until it is rewritten.
    constexpr std::uint64_t kTypicalLine = 60;
    if (state_.stamp.uidlist_size > 64 * 1024 &&
        state_.stamp.uidlist_size / kTypicalLine > 3ULL * state_.counts.messages) {
        TRY(rewrite_uid_record(writer));
        DiskStamp known = state_.stamp, now = TRY(format_->stamp());
        known.uidlist_inode = now.uidlist_inode;
        known.uidlist_size = now.uidlist_size;
        known.uidlist_mtime = now.uidlist_mtime;
        writer.transaction.stamp(known);
        TRY(writer.commit());
    }
    TRY(checkpoint(true));
    {
        std::lock_guard lock(cache_mutex_);
        if (cache_ != nullptr) cache_->drop_dead([this](std::uint32_t uid) { return state_.find(uid) != nullptr; });
    }
    return {};
}

// Renames up to a batch of files; those left stay in `uids`. NotFound: some file was not where it should be.
Status MailboxImpl::settle_names(MailboxWriter& writer, const DiskStamp&, std::vector<std::uint32_t>& uids,
                                 bool move_new) {
    std::size_t done = 0, next = 0;
    Status result;
    for (; next < uids.size() && done < kBatch; ++next) {
        const Message* message = state_.find(uids[next]);
        if (message == nullptr) continue;
        const bool move = move_new && (message->place & kInNew) != 0;
        const FileFlags wanted = state_.wanted(*message);
        if (wanted == message->disk && !move) continue;
        auto renamed = format_->set_flags(stored_file(*message), wanted, move || (message->place & kInNew) == 0);
        if (!renamed) {
            if (renamed.error().code != ErrorCode::NotFound) {
                result = fail(std::move(renamed).error());
                break;
            }
            result = fail(ErrorCode::NotFound, "a file was not where it should be");
            continue;
        }
        writer.transaction.file({message->uid}, renamed->place, renamed->disk, renamed->odd_info);
        ++done;
    }
    uids.erase(uids.begin(), uids.begin() + static_cast<std::ptrdiff_t>(next));
    return result;
}

// True if some file was not there though the directory is not as it was last seen: it may have another name now.
bool MailboxImpl::remove_doomed(MailboxWriter& writer, bool trusted) {
    std::vector<Uid> removed;
    bool lost = false;
    std::size_t done = 0;
    for (const auto& [uid, file] : state_.doomed) {
        if (++done > kBatch) break;
        Status status = format_->remove(StoredFile{file.base, file.odd_info, file.place, file.disk});
        if (status || (status.error().code == ErrorCode::NotFound && trusted)) removed.push_back({uid});
        else if (status.error().code == ErrorCode::NotFound) lost = true;
    }
    if (!removed.empty()) writer.transaction.removed(to_ranges(removed));
    return lost;
}

void MailboxImpl::move_new_messages() {
    if (read_only_) return;
    std::uint32_t in_new;
    {
        auto lock = read_lock();
        in_new = state_.counts.in_new;
    }
    if (in_new == 0) return;
    if (in_new <= kMoveAtOnce) {
        if (Status moved = flush_files(true); !moved)
            log_warning("Mailbox " + paths_.mail + ": new/ cannot be moved to cur/: " + moved.error().detail);
        return;
    }
    {
        std::lock_guard mutex(write_mutex_);
        settling_new_ = true;
    }
    schedule_flush(std::chrono::milliseconds(1));
}

}  // namespace culver
