// Opening a mailbox: the index files, what to do when they are missing or broken, and the way of every change into
// them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"
#include "lib-storage/dovecot-index/reader.h"
#include "lib-storage/index/cache-file.h"
#include "lib-storage/index/snapshot.h"
#include "lib-storage/mailbox/mailbox-impl.h"
#include "lib-storage/maildir/maildir.h"

namespace culver {

namespace {

constexpr std::uint64_t kModSeqStep = 1'000'000;
constexpr std::uint64_t kCheckpointMinimum = 512 << 10;

std::int64_t clock_in(std::int64_t per_second) {
    struct timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * per_second + now.tv_nsec / (1'000'000'000 / per_second);
}

// Keeps changes from being taken in, not the mailbox from being read: a full disk.
bool is_passing(const Error& error) { return error.code == ErrorCode::NoSpace || error.code == ErrorCode::Io; }

}  // namespace

std::int64_t current_time() { return clock_in(1); }
std::int64_t current_time_ms() { return clock_in(1000); }

// --- MailboxWriter

MailboxWriter::MailboxWriter(MailboxImpl& mailbox) : mailbox_(&mailbox), mutex_(mailbox.write_mutex_) {}
MailboxWriter::MailboxWriter(MailboxImpl& mailbox, Borrowed) : mailbox_(&mailbox) {}

MailboxWriter::MailboxWriter(MailboxWriter&& other) noexcept
    : transaction(std::move(other.transaction)),
      mailbox_(std::exchange(other.mailbox_, nullptr)),
      mutex_(std::move(other.mutex_)),
      file_locked_(std::exchange(other.file_locked_, false)),
      uids_locked_(std::exchange(other.uids_locked_, false)),
      visible_(other.visible_) {}

MailboxWriter::~MailboxWriter() {
    if (mailbox_ == nullptr) return;
    if (uids_locked_) mailbox_->format_->unlock_uids();
    if (file_locked_) mailbox_->lock_.release();
    if (!mutex_.owns_lock()) return;  // borrowed
    mutex_.unlock();
    if (visible_) mailbox_->notify();
}

Status MailboxWriter::lock_uids() {
    if (uids_locked_ || mailbox_->read_only_) return {};
    TRY(mailbox_->format_->lock_uids());
    uids_locked_ = true;
    return {};
}

Status MailboxWriter::commit() {
    if (transaction.empty()) return {};
    TransactionBuilder finished = std::exchange(transaction, {});
    visible_ = visible_ || finished.is_visible();
    return mailbox_->write_transaction(finished);
}

// --- opening

MailboxImpl::MailboxImpl(const MailboxPaths& paths, const MailboxOptions& options,
                         std::shared_ptr<Background> background)
    : paths_(paths),
      options_(options),
      background_(std::move(background)),
      format_(std::make_unique<Maildir>(paths, options)) {}

MailboxImpl::~MailboxImpl() {
    if (watching_) background_->unwatch(this);
}

Result<std::shared_ptr<MailboxImpl>> MailboxImpl::open(const MailboxPaths& paths, const MailboxOptions& options,
                                                       std::shared_ptr<Background> background) {
    auto mailbox = std::make_shared<MailboxImpl>(paths, options, std::move(background));
    TRY(mailbox->load());
    // What a process that died had still to write into the file names.
    if (!mailbox->state_.unsettled.empty() || !mailbox->state_.doomed.empty()) mailbox->schedule_flush();
    return mailbox;
}

Status MailboxImpl::load() {
    Status prepared = format_->prepare();
    if (!prepared && prepared.error().code != ErrorCode::NoPermission && prepared.error().code != ErrorCode::NoSpace)
        return prepared;
    struct stat st;
    if (::stat(paths_.mail.c_str(), &st) != 0) return fail_errno("stat(" + paths_.mail + ")");
    directory_inode_ = st.st_ino;
    read_only_ = ::access((paths_.mail + "/cur").c_str(), W_OK) != 0 || ::access(paths_.control.c_str(), W_OK) != 0;
    std::unique_lock mutex(write_mutex_);
    if (!paths_.index.empty()) {
        if (Status locked = lock_.open(index_path("culver.lock"), options_.file_mode); !locked) {
            if (!read_only_)
                log_warning("Mailbox " + paths_.mail + ": its index is kept in memory only: " + locked.error().detail);
            memory_index_ = true;
        }
    }
    if (lock_.is_open()) TRY(lock_.acquire());
    Status loaded = load_index();
    if (loaded) {
        MailboxWriter writer(*this, MailboxWriter::Borrowed());
        Status synced = sync_with_disk(writer, false);
        if (!synced && !is_passing(synced.error())) loaded = synced;
    }
    if (lock_.is_open()) lock_.release();
    return loaded;
}

std::string MailboxImpl::modseq_path() const { return paths_.control + "/culver.modseq"; }

// The index files into state_ and log_; rebuilt if they are missing or broken. write_mutex_ and lock_ are held.
Status MailboxImpl::load_index() {
    read_reserved_modseq();
    if (paths_.index.empty()) memory_index_ = true;
    if (!paths_.index.empty()) {
        Status loaded = reload();
        if (!loaded) return loaded;
        if (log_ || state_.uid_validity != 0) return {};
    }
    return rebuild("");
}

// Reads snapshot and log anew. On success state_ is replaced; if they are unusable it is rebuilt.
Status MailboxImpl::reload() {
    log_.reset();
    MailboxState fresh;
    auto position = load_snapshot(index_path("culver.index"), fresh);
    auto log = IndexLog::open(index_path("culver.index.log"));
    auto is_missing = [](const Error& error) { return error.code == ErrorCode::NotFound; };
    if (!position && !log && is_missing(position.error()) && is_missing(log.error())) return rebuild("");
    if (!position || !log) {
        const Error& error = !position ? position.error() : log.error();
        if (error.code != ErrorCode::Corrupt && !is_missing(error) && error.code != ErrorCode::NoPermission)
            return fail(error);
        if (position) {  // a good snapshot without its log
            std::unique_lock lock(state_mutex_);
            state_ = std::move(fresh);
        }
        return rebuild(error.detail);
    }
    std::string trouble;
    if (log->header().id == position->log_id) log->set_offset(IndexLog::kHeaderSize);
    else if (log->header().id == position->old_log_id && position->old_log_offset >= IndexLog::kHeaderSize)
        log->set_offset(position->old_log_offset);
    else trouble = "culver.index.log does not belong to culver.index";
    if (trouble.empty() && log->header().uid_validity != fresh.uid_validity)
        trouble = "culver.index.log is of another UIDVALIDITY";
    if (trouble.empty()) {
        auto stop =
            log->read([&](std::string_view payload, std::uint64_t modseq) { return fresh.apply(payload, modseq); });
        if (!stop && stop.error().code != ErrorCode::Corrupt) return fail(std::move(stop).error());
        if (!stop || *stop == IndexLog::Stop::Corrupt)
            trouble = !stop ? stop.error().detail : "culver.index.log holds bytes that are no transaction";
        else if (*stop == IndexLog::Stop::Torn && !memory_index_) TRY(log->cut());
    }
    {
        std::unique_lock lock(state_mutex_);
        state_ = std::move(fresh);
    }
    if (!trouble.empty()) return rebuild(trouble);
    snapshot_size_ = state_.messages().size() * (sizeof(Message) + 50);
    if (!memory_index_) log_ = std::move(*log);
    return {};
}

// A new index from the uidlist and the directories, and from what state_ holds. write_mutex_ and lock_ are held.
Status MailboxImpl::rebuild(std::string_view why) {
    if (!why.empty())
        log_warning(fmt::format(
            "Mailbox {}: the index is damaged and is made anew from dovecot-uidlist and the files; no message "
            "is lost: {}",
            paths_.mail, why));
    log_.reset();
    read_reserved_modseq();
    const bool fresh = state_.uid_validity == 0;
    const std::uint64_t reserved_before =
        reserved_;  // not 0: this mailbox was ours before, what Dovecot's index says is older
    std::optional<DovecotIndex> dovecot;
    if (fresh) {
        auto found = read_dovecot_index(paths_.index.empty() ? paths_.mail : paths_.index);
        if (found) dovecot = std::move(*found);
        else if (found.error().code != ErrorCode::NotFound)
            log_warning(
                "Mailbox " + paths_.mail +
                ": dovecot.index cannot be read, keywords past the 26th are not taken over: " + found.error().detail);
    }
    {
        std::unique_lock lock(state_mutex_);
        // A broken index may have handed out what it forgot.
        std::uint64_t start = std::max<std::uint64_t>(
            {static_cast<std::uint64_t>(current_time_ms()), state_.highest_modseq + 1, reserved_ + 1});
        if (dovecot) start = std::max(start, dovecot->highest_modseq + 1);
        state_.restart_history(start);
    }
    if (!read_only_ && !memory_index_) TRY(reserve_modseq(state_.highest_modseq + 1));
    {
        // Until the new files are there, changes go into the state only.
        MailboxWriter writer(*this, MailboxWriter::Borrowed());
        if (Status synced = sync_with_disk(writer, true); !synced && !is_passing(synced.error())) return synced;
        if (fresh) TRY(restore_high_keywords(writer, dovecot && reserved_before == 0 ? &*dovecot : nullptr));
    }
    if (state_.uid_validity == 0)
        return fail(ErrorCode::NoSpace, "Mailbox " + paths_.mail + " cannot be given a UIDVALIDITY: no space left");
    if (!has_index_files()) return {};
    if (Status written = checkpoint(false); !written) {
        log_warning("Mailbox " + paths_.mail +
                    ": the index cannot be written and is kept in memory: " + written.error().detail);
        memory_index_ = true;
    }
    if (fresh && !read_only_) save_high_keywords();
    return {};
}

bool MailboxImpl::wants_checkpoint() const {
    return log_ && has_index_files() &&
           log_->offset() > std::max<std::uint64_t>(kCheckpointMinimum, snapshot_size_ / 2);
}

// Writes a snapshot and begins a new log. write_mutex_ and lock_ are held, everything is read.
Status MailboxImpl::checkpoint(bool sync) {
    {
        std::unique_lock lock(state_mutex_);
        state_.compact();
    }
    SnapshotPosition position;
    if (log_) {
        position.old_log_id = log_->header().id;
        position.old_log_offset = log_->offset();
    }
    position.log_id =
        std::max<std::uint64_t>(position.old_log_id + 1, static_cast<std::uint64_t>(current_time_ms()) * 1000);
    sync = sync && options_.fsync != MailboxOptions::Fsync::Never;
    std::string bytes = encode_snapshot(state_, position);
    TRY(replace_file(index_path("culver.index"), bytes, options_.file_mode, sync));
    IndexLogHeader header{position.log_id, position.old_log_id, position.old_log_offset, state_.uid_validity};
    log_ = TRY(IndexLog::create(index_path("culver.index.log"), header, options_.file_mode, sync));
    snapshot_size_ = bytes.size();
    return {};
}

// --- following and changing

bool MailboxImpl::is_usable() const {
    struct stat st;
    return !abandoned_ && ::stat(paths_.mail.c_str(), &st) == 0 && st.st_ino == directory_inode_;
}

Status MailboxImpl::check_alive() const {
    if (abandoned_)
        return fail(Error{ErrorCode::NotFound, "Mailbox was deleted", "Mailbox " + paths_.mail + " was deleted"});
    return {};
}

// Reads what other processes wrote. write_mutex_ is held. Without lock_, trouble is left for somebody who has it.
Status MailboxImpl::catch_up(bool have_lock) {
    while (log_) {
        auto condition = TRY(log_->condition());
        if (condition.size == log_->offset() && !condition.replaced) return {};
        std::uint64_t before = state_.highest_modseq;
        auto stop = log_->read([this](std::string_view payload, std::uint64_t modseq) {
            std::unique_lock lock(state_mutex_);
            return state_.apply(payload, modseq);
        });
        if (state_.highest_modseq != before) schedule_flush(std::chrono::seconds(10));  // should the other process die
        if (stop && *stop == IndexLog::Stop::End && !condition.replaced) return {};
        if (stop && *stop == IndexLog::Stop::Torn && !condition.replaced) return have_lock ? log_->cut() : Status();
        if (stop && *stop == IndexLog::Stop::End) {
            auto next = IndexLog::open(index_path("culver.index.log"));
            if (next && next->header().previous_id == log_->header().id &&
                next->header().previous_end == log_->offset() && next->header().uid_validity == state_.uid_validity) {
                log_ = std::move(*next);
                continue;
            }
        }
        if (!have_lock) return fail(ErrorCode::InUse, "the index log was replaced");
        return reload();
    }
    return {};
}

Result<MailboxWriter> MailboxImpl::begin_write() {
    TRY(check_alive());
    MailboxWriter writer(*this);
    if (lock_.is_open() && !memory_index_) {
        TRY(lock_.acquire());
        writer.file_locked_ = true;
        std::uint64_t before = state_.highest_modseq;
        TRY(catch_up(true));
        writer.visible_ = state_.highest_modseq != before;
    }
    return writer;
}

void MailboxImpl::read_reserved_modseq() {
    auto text = read_file(modseq_path(), 64);
    if (!text) return;
    std::string_view line = std::string_view(*text).substr(0, text->find('\n'));
    // Past 63 bits there is no modseq (RFC 7162 §7): rubbish.
    if (auto value = parse_uint64(line); value && *value < (std::uint64_t{1} << 62))
        reserved_ = std::max(reserved_, *value);
}

Status MailboxImpl::reserve_modseq(std::uint64_t modseq) {
    if (modseq <= reserved_) return {};
    std::uint64_t target = modseq + kModSeqStep;
    TRY(replace_file(modseq_path(), fmt::format("{}\n", target), options_.file_mode,
                     options_.fsync != MailboxOptions::Fsync::Never));
    reserved_ = target;
    return {};
}

Status MailboxImpl::write_transaction(const TransactionBuilder& transaction) {
    const std::uint64_t modseq = state_.highest_modseq + (transaction.is_visible() ? 1 : 0);
    if (log_ && !read_only_) {
        TRY(reserve_modseq(modseq));
        TRY(log_->append(transaction.payload(), modseq, options_.fsync == MailboxOptions::Fsync::Always));
    }
    Status applied;
    {
        std::unique_lock lock(state_mutex_);
        applied = state_.apply(transaction.payload(), modseq);
    }
    if (!applied && has_index_files()) {
        // The log holds what cannot be applied: start again from the files.
        log_error("Mailbox " + paths_.mail + ": a change does not fit the index: " + applied.error().detail);
        TRY(reload());
    }
    if (wants_checkpoint()) schedule_flush();
    return applied;
}

Status MailboxImpl::refresh() {
    TRY(check_alive());
    auto now = format_->stamp();
    if (!now) return fail(std::move(now).error());
    {
        std::unique_lock mutex(write_mutex_);
        std::uint64_t before = state_.highest_modseq;
        Status followed = catch_up(false);
        bool changed = state_.highest_modseq != before;
        bool settled = followed && !needs_disk_sync(*now);
        mutex.unlock();
        if (changed) notify();
        if (settled) return {};
    }
    MailboxWriter writer = TRY(begin_write());
    return sync_with_disk(writer, false);
}

}  // namespace culver
