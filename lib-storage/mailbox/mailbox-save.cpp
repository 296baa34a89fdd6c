// Saving: bytes into tmp/, synced; then, under the lock, the names into new/ or cur/, the UIDs into dovecot-uidlist,
// the messages into the log; then, with the lock given back, the directory's sync, shared by all who wait for it
// (docs/durability.md).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib-base/assert.h"
#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-storage/mailbox/arrival.h"

namespace culver {

// --- the common way in

Status MailboxImpl::place_arrivals(std::span<ArrivingMessage> arriving, std::size_t& placed) {
    for (ArrivingMessage& arrival : arriving) {
        if (arrival.temporary) TRY(format_->place(*arrival.temporary, arrival.file()));
        else TRY(format_->link(arrival.link_source, arrival.file()));
        arrival.placed = true;
        ++placed;
    }
    return {};
}

void MailboxImpl::withdraw_arrivals(std::span<ArrivingMessage> arriving) {
    for (ArrivingMessage& arrival : arriving)
        if (std::exchange(arrival.placed, false)) (void)format_->remove(arrival.file());
}

// Puts all of them into the mailbox, or none.
Result<std::vector<Uid>> MailboxImpl::take_in(std::span<ArrivingMessage> arriving, SaveTransaction::Uids durability) {
    if (arriving.empty()) return std::vector<Uid>();
    if (read_only_)
        return fail(Error{ErrorCode::NoPermission, "Mailbox is read-only", "Mailbox " + paths_.mail + " is read-only"});
    std::vector<Uid> uids;
    bool in_cur = false, in_new = false;
    {
        MailboxWriter writer = TRY(begin_write());
        TRY(writer.lock_uids());
        DiskStamp before = TRY(format_->stamp());
        // Somebody else wrote UIDs, or the file is gone.
        if (before.uidlist_inode != state_.stamp.uidlist_inode || before.uidlist_size != state_.stamp.uidlist_size ||
            before.uidlist_mtime != state_.stamp.uidlist_mtime) {
            TRY(sync_with_disk(writer, false));
            before = TRY(format_->stamp());
        }
        std::string lines;
        std::uint32_t next = state_.next_uid;
        if (next > UINT32_MAX - 2 - arriving.size())
            return fail(ErrorCode::Limit, "Mailbox " + paths_.mail + " has used up its UIDs");
        std::vector<std::string> names;
        for (ArrivingMessage& arrival : arriving)
            for (const std::string& name : arrival.keywords) names.push_back(name);
        if (!names.empty()) {
            TRY(resolve_keywords(writer, names, true));  // makes the new ones
            TRY(writer.commit());
        }
        for (ArrivingMessage& arrival : arriving) {
            NewMessage& message = arrival.message;
            message.uid = {next++};
            message.flags.keywords = TRY(resolve_keywords(writer, arrival.keywords, false));
            message.disk =
                (message.place & kHasInfo) != 0 ? to_file_flags(message.flags.system, message.flags.keywords) : 0;
            append_uidlist_line(lines, message.uid.value, message.fields, message.base);
            uids.push_back(message.uid);
            ((message.place & kInNew) != 0 ? in_new : in_cur) = true;
        }
        std::size_t placed = 0;
        Status status = place_arrivals(arriving, placed);
        if (status) status = format_->append_uids(lines, before.uidlist_size);
        if (status) {
            DiskStamp stamp = own_change_stamp(before, lines.size());
            for (const ArrivingMessage& arrival : arriving) writer.transaction.message(arrival.message);
            writer.transaction.stamp(stamp);
            status = writer.commit();
        }
        if (!status) {
            withdraw_arrivals(arriving);
            return fail(std::move(status).error());
        }
    }
    TRY(sync_arrivals(in_cur, in_new, durability, uids));
    return uids;
}

// Waits until the names (and the UIDs) are on disk. If the disk fails, the messages are taken back.
Status MailboxImpl::sync_arrivals(bool in_cur, bool in_new, SaveTransaction::Uids durability,
                                  std::span<const Uid> uids) {
    Status status;
    // The uidlist first: journalling file systems then write the names in the same commit, and the second sync is free.
    if (durability == SaveTransaction::Uids::Durable) status = make_uids_durable();
    if (status && in_new) status = sync_new_.run([this] { return format_->sync_directories(false, true); });
    if (status && in_cur) status = sync_cur_.run([this] { return format_->sync_directories(true, false); });
    if (status) return {};
    log_error("Mailbox " + paths_.mail +
              ": messages are taken back because they cannot be made durable: " + status.error().detail);
    if (auto writer = begin_write()) {
        writer->transaction.expunge(to_ranges(uids));
        if (writer->commit()) schedule_flush(std::chrono::milliseconds(1));
    }
    return status;
}

Status MailboxImpl::make_uids_durable() {
    if (read_only_) return {};
    std::uint32_t last;
    {
        auto lock = read_lock();
        last = state_.next_uid - 1;
    }
    if (durable_uid_ >= last) return {};
    TRY(sync_uids_.run([this] { return format_->sync_uids(); }));
    std::uint32_t known = durable_uid_;
    while (known < last && !durable_uid_.compare_exchange_weak(known, last)) {
    }
    return {};
}

// --- SaveTransaction

class SaveTransactionImpl final : public SaveTransaction {
public:
    explicit SaveTransactionImpl(std::shared_ptr<MailboxImpl> mailbox) : mailbox_(std::move(mailbox)) {}

    Status begin(const SaveOptions& options) override;
    Status write(std::string_view bytes) override;
    Status end() override;
    Result<SavedMessages> commit(Uids uids) override;

private:
    void append_lf_form(std::string_view bytes);
    void append_crlf_form(std::string_view bytes);
    Status flush_buffer();

    static constexpr std::size_t kBufferSize = 65536;

    std::shared_ptr<MailboxImpl> mailbox_;  // shared with its sessions; must not go before the message is in
    std::vector<ArrivingMessage> arriving_;
    std::string buffer_;
    bool open_ = false, held_cr_ = false, failed_ = false;
    char last_ = 0;
    SaveOptions current_;
    std::uint64_t size_ = 0, virtual_size_ = 0;
};

Status SaveTransactionImpl::begin(const SaveOptions& options) {
    ASSERT(!open_);
    TRY(mailbox_->check_alive());
    if (mailbox_->is_read_only())
        return fail(Error{ErrorCode::NoPermission, "Mailbox is read-only",
                          "Mailbox " + mailbox_->paths_.mail + " is read-only"});
    ArrivingMessage arrival;
    arrival.temporary.emplace(TRY(mailbox_->format_->create_temporary()));
    arriving_.push_back(std::move(arrival));
    current_ = options;
    size_ = virtual_size_ = 0;
    held_cr_ = false;
    last_ = 0;
    open_ = true;
    return {};
}

// CRLF becomes LF; a bare CR stays. A CR at the end of a chunk is held until the next byte is known.
void SaveTransactionImpl::append_lf_form(std::string_view bytes) {
    while (!bytes.empty()) {
        if (held_cr_) {
            held_cr_ = false;
            if (bytes[0] != '\n') {
                buffer_ += '\r';
                ++virtual_size_;
            }
        }
        auto cr = bytes.find('\r');
        std::string_view plain = bytes.substr(0, cr);
        const char* at = plain.data();
        const char* end = at + plain.size();
        virtual_size_ += plain.size();
        while (at < end &&
               (at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) != nullptr) {
            ++virtual_size_;
            ++at;
        }
        buffer_ += plain;
        if (cr == std::string_view::npos) return;
        held_cr_ = true;
        bytes.remove_prefix(cr + 1);
    }
}

// Bare LF becomes CRLF (mail_save_crlf).
void SaveTransactionImpl::append_crlf_form(std::string_view bytes) {
    for (char c : bytes) {
        if (c == '\n' && last_ != '\r') {
            buffer_ += '\r';
            ++virtual_size_;
        }
        buffer_ += c;
        ++virtual_size_;
        last_ = c;
    }
}

Status SaveTransactionImpl::flush_buffer() {
    size_ += buffer_.size();
    Status status = write_all(arriving_.back().temporary->fd().get(), buffer_, arriving_.back().temporary->path());
    buffer_.clear();
    if (!status) failed_ = true;
    return status;
}

Status SaveTransactionImpl::write(std::string_view bytes) {
    ASSERT(open_);
    while (!bytes.empty()) {
        std::string_view piece = bytes.substr(0, kBufferSize);
        if (mailbox_->options().save_crlf) append_crlf_form(piece);
        else append_lf_form(piece);
        bytes.remove_prefix(piece.size());
        if (buffer_.size() >= kBufferSize) TRY(flush_buffer());
    }
    return {};
}

Status SaveTransactionImpl::end() {
    ASSERT(open_);
    open_ = false;
    if (held_cr_) {
        buffer_ += '\r';
        ++virtual_size_;
    }
    TRY(flush_buffer());
    ArrivingMessage& arrival = arriving_.back();
    UniqueFd& fd = arrival.temporary->fd();
    const std::string& path = arrival.temporary->path();
    if (current_.internal_date) {
        struct timespec times[2] = {{0, UTIME_NOW}, {static_cast<time_t>(*current_.internal_date), 0}};
        if (::futimens(fd.get(), times) != 0) return fail_errno("futimens(" + path + ")");
    }
    failed_ = true;  // until it is all on disk; a second try on the same file could lie
    if (mailbox_->options().fsync != MailboxOptions::Fsync::Never && ::fdatasync(fd.get()) != 0)
        return fail_errno("fdatasync(" + path + ")");
    struct stat st;
    if (::fstat(fd.get(), &st) != 0) return fail_errno("fstat(" + path + ")");
    TRY(fd.close(path));
    failed_ = false;
    NewMessage& message = arrival.message;
    message.base = fmt::format("{},S={},W={}", arrival.temporary->base(), size_, virtual_size_);
    message.flags.system = current_.system & 31U;
    message.internal_date = st.st_mtim.tv_sec;
    message.save_date = current_time();
    message.size = size_;
    message.virtual_size = virtual_size_;
    if (!current_.guid.empty() && current_.guid.find_first_of(" \r\n") == std::string::npos)
        message.fields = "G" + current_.guid;
    if (current_.system == 0 && current_.keywords.empty() && !current_.internal_date)
        message.place = kInNew;  // a delivery; an APPEND goes to cur/ at commit
    else message.place = kHasInfo;
    arrival.keywords = std::move(current_.keywords);
    return {};
}

Result<SavedMessages> SaveTransactionImpl::commit(Uids uids) {
    if (open_ || failed_) return fail(ErrorCode::Io, "a message of this transaction was not written completely");
    if (uids == Uids::Durable)
        for (ArrivingMessage& arrival : arriving_) arrival.message.place = kHasInfo;
    auto given = mailbox_->take_in(arriving_, uids);
    arriving_.clear();
    if (!given) return fail(std::move(given).error());
    SavedMessages saved;
    saved.uid_validity = mailbox_->uid_validity();
    if (uids == Uids::Durable) saved.uids = std::move(*given);
    return saved;
}

Result<std::unique_ptr<SaveTransaction>> MailboxImpl::begin_save() {
    TRY(check_alive());
    return std::unique_ptr<SaveTransaction>(std::make_unique<SaveTransactionImpl>(shared_from_this()));
}

}  // namespace culver
