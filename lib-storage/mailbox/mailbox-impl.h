// MailboxImpl: Mailbox over a MailboxFormat and the index. Its functions are spread over the files of this folder, one
// file for each reason to exist.
//
// Locks, outermost first:
//   write_mutex_   one writer of this process at a time; guards log_, lock_, format_'s uid lock, reserved_
//   lock_          (culver.lock) one writer of all processes; held only inside a Writer
//   dovecot-uidlist.lock   held only inside a Writer that assigns UIDs
//   state_mutex_   guards state_: shared to read, exclusive for the moment of apply()
// state_ changes only with write_mutex_ and state_mutex_ both held, so a writer may read it without state_mutex_.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "lib-storage/index/index-log.h"
#include "lib-storage/index/mailbox-state.h"
#include "lib-storage/mailbox-format.h"
#include "lib-storage/mailbox-view.h"
#include "lib-storage/mailbox.h"
#include "lib-storage/mailbox/background.h"
#include "lib-storage/mailbox/file-lock.h"
#include "lib-storage/mailbox/group-sync.h"

namespace culver {

class MailboxImpl;
class CacheFile;
struct ScanArrival;
struct ArrivingMessage;
struct DovecotIndex;

// The right to change a mailbox; taken with everything that others wrote read in. What it commits is heard of when it
// ends.
class MailboxWriter {
public:
    ~MailboxWriter();
    MailboxWriter(MailboxWriter&& other) noexcept;
    MailboxWriter& operator=(MailboxWriter&&) = delete;

    TransactionBuilder transaction;
    // Appends the transaction to the log and applies it. The builder is empty afterwards, also after a failure.
    Status commit();
    // The lock that Dovecot knows; needed to assign UIDs. May be called twice.
    Status lock_uids();

private:
    friend class MailboxImpl;
    struct Borrowed {};
    explicit MailboxWriter(MailboxImpl& mailbox);
    // For code that runs with the locks held already; they stay held.
    MailboxWriter(MailboxImpl& mailbox, Borrowed);

    MailboxImpl* mailbox_;
    std::unique_lock<std::mutex> mutex_;
    bool file_locked_ = false, uids_locked_ = false, visible_ = false;
};

class MailboxImpl final : public Mailbox, public BackgroundClient, public std::enable_shared_from_this<MailboxImpl> {
public:
    static Result<std::shared_ptr<MailboxImpl>> open(const MailboxPaths& paths, const MailboxOptions& options,
                                                     std::shared_ptr<Background> background);
    MailboxImpl(const MailboxPaths& paths, const MailboxOptions& options, std::shared_ptr<Background> background);
    ~MailboxImpl() override;

    // Mailbox
    Result<std::unique_ptr<MailboxView>> open_view(Access access) override;
    Result<MailboxStatus> status() override;
    std::uint32_t uid_validity() const override;
    std::string guid() const override;
    bool is_read_only() const override { return read_only_; }
    std::vector<std::string> keywords() const override;
    Status refresh() override;
    Result<StoreResult> store(std::span<const Uid> uids, const StoreChange& change) override;
    Result<ExpungeResult> expunge(std::optional<std::span<const Uid>> only) override;
    Result<std::unique_ptr<SaveTransaction>> begin_save() override;
    Result<CopyResult> copy_to(Mailbox& destination, std::span<const Uid> uids) override;
    Result<CopyResult> move_to(Mailbox& destination, std::span<const Uid> uids, ExpungeResult* expunged) override;
    Result<std::unique_ptr<MessageFile>> open_message(Uid uid) override;
    Result<std::uint64_t> virtual_size(Uid uid) override;
    Result<std::string> message_guid(Uid uid) override;
    bool cached(Uid uid, CacheField field, const std::function<void(std::string_view)>& visit) override;
    void cache(Uid uid, CacheField field, std::string_view value) override;
    Result<std::vector<UidRange>> expunged_since(ModSeq since) override;
    std::unique_ptr<Subscription> subscribe(std::function<void()> on_change) override;

    // BackgroundClient
    std::chrono::milliseconds flush() override;
    void on_directory_event() override;
    bool is_interesting(int which, std::string_view name) const override;

    // For the view.
    std::shared_lock<std::shared_mutex> read_lock() const { return std::shared_lock(state_mutex_); }
    const MailboxState& state() const { return state_; }  // with read_lock() or a writer
    Status refresh_if_possible();                         // fails only if the mailbox cannot be used at all
    Status claim_recent();                                // nobody is told "recent" about the present messages any more
    Status make_uids_durable();
    Status fill_details(std::optional<std::span<const Uid>> uids);  // dates and sizes that a visitor needs
    void move_new_messages();                                       // new/ to cur/, now if they are few
    void views_synced();                                            // subscribers may be called again
    bool needs_details() const;

    // The mailbox was deleted or renamed: every operation answers NotFound from now on.
    void abandon() { abandoned_ = true; }
    // False if the directory was removed or replaced behind our back: open it anew.
    bool is_usable() const;
    const MailboxOptions& options() const { return options_; }

private:
    friend class MailboxWriter;
    friend class SaveTransactionImpl;
    class SubscriptionImpl;
    struct Scan;
    struct CopySource;
    // mailbox-open.cpp
    Status load();
    Status load_index();
    Status reload();
    Status rebuild(std::string_view why);
    Status checkpoint(bool sync);
    Status catch_up(bool have_lock);
    Result<MailboxWriter> begin_write();
    Status write_transaction(const TransactionBuilder& transaction);
    Status reserve_modseq(std::uint64_t modseq);
    void read_reserved_modseq();
    bool wants_checkpoint() const;  // the log has outgrown half of the snapshot
    std::string index_path(std::string_view name) const { return paths_.index + "/" + std::string(name); }
    std::string modseq_path() const;
    bool has_index_files() const { return !paths_.index.empty() && !memory_index_; }
    Status check_alive() const;

    // mailbox-disk-sync.cpp: what changed in the directories without us
    Status sync_with_disk(MailboxWriter& writer, bool force);
    bool needs_disk_sync(const DiskStamp& now) const;
    Status sync_uid_record(MailboxWriter& writer, Scan& scan, const DiskStamp& now);
    Status scan_directories(MailboxWriter& writer, Scan& scan);
    void visit_file(Scan& scan, const FoundFile& found);
    Status settle_missing(MailboxWriter& writer, Scan& scan);
    void settle_duplicates(Scan& scan);
    Status take_in_new_files(MailboxWriter& writer, Scan& scan);
    Status log_arrivals(MailboxWriter& writer, Scan& scan);
    void record_known_file(MailboxWriter& writer, const Message& message, const FoundFile& found);
    void name_keyword_letters(MailboxWriter& writer, FileFlags letters);
    Status record_uids(MailboxWriter& writer, Scan& scan, std::span<const ScanArrival> fresh);
    Status rewrite_uid_record(MailboxWriter& writer);

    // mailbox-keywords.cpp
    std::string keywords_path() const;
    void save_high_keywords();
    Status add_keywords(MailboxWriter& writer, const std::map<std::string, std::vector<Uid>>& uids_by_name);
    Status restore_high_keywords(MailboxWriter& writer, const DovecotIndex* dovecot);

    // mailbox-flush.cpp
    Status flush_files(bool move_new);
    Status tidy_up(MailboxWriter& writer);
    Status settle_names(MailboxWriter& writer, const DiskStamp& before, std::vector<std::uint32_t>& uids,
                        bool move_new);
    bool remove_doomed(MailboxWriter& writer, bool trusted);
    void schedule_flush(std::chrono::milliseconds delay = std::chrono::milliseconds(200));
    StoredFile stored_file(const Message& message) const;
    // After our own changes: the stamp that counts them as seen, if nobody else changed anything before them.
    DiskStamp own_change_stamp(const DiskStamp& before, std::uint64_t appended_to_uids = 0) const;

    // mailbox-change.cpp
    Result<KeywordSet> resolve_keywords(MailboxWriter& writer, const std::vector<std::string>& names, bool create);

    // mailbox-save.cpp
    Result<std::vector<Uid>> take_in(std::span<ArrivingMessage> arriving, SaveTransaction::Uids durability);
    Status place_arrivals(std::span<ArrivingMessage> arriving, std::size_t& placed);
    void withdraw_arrivals(std::span<ArrivingMessage> arriving);
    Status sync_arrivals(bool in_cur, bool in_new, SaveTransaction::Uids durability, std::span<const Uid> uids);

    // mailbox-copy.cpp
    Result<std::vector<CopySource>> collect_sources(std::span<const Uid> uids);
    Result<CopyResult> try_copy(MailboxImpl& destination, std::span<const Uid> uids, bool may_link);

    // mailbox-read.cpp
    Result<UniqueFd> open_file(Uid uid);

    void notify();

    const MailboxPaths paths_;
    const MailboxOptions options_;
    const std::shared_ptr<Background> background_;
    std::uint64_t directory_inode_ = 0;
    std::unique_ptr<MailboxFormat> format_;
    bool read_only_ = false;
    std::atomic<bool> memory_index_ = false;  // the index cannot be written: it lives and ends with this object
    std::atomic<bool> abandoned_ = false;

    std::mutex write_mutex_;
    FileLock lock_;
    std::optional<IndexLog> log_;
    std::uint64_t reserved_ = 0;  // modseqs up to here may have been given out, says culver.modseq
    bool settling_new_ = false;   // a SELECT wants new/ emptied
    std::uint64_t snapshot_size_ = 0;
    std::atomic<int> flush_failures_ = 0;
    std::atomic<std::uint32_t> saved_keywords_sum_ = 0;
    std::atomic<bool> temporaries_cleaned_ = false;
    std::atomic<bool> refresh_failed_ = false;  // and was logged
    std::atomic<bool> hiding_logged_ = false;   // messages are hidden because their UIDs cannot be recorded

    mutable std::shared_mutex state_mutex_;
    MailboxState state_;

    GroupSync sync_cur_, sync_new_, sync_uids_;
    std::atomic<std::uint32_t> durable_uid_ = 0;  // uids up to here are in the uidlist for good

    std::mutex subscriptions_mutex_;  // guards subscriptions_; held while they are called, so that ending one waits for
                                      // its call
    std::vector<SubscriptionImpl*> subscriptions_;
    bool watching_ = false;
    std::atomic<std::uint64_t> notified_modseq_ = 0;

    std::mutex cache_mutex_;  // guards cache_
    std::unique_ptr<CacheFile> cache_;
};

// Seconds and milliseconds since 1970.
std::int64_t current_time();
std::int64_t current_time_ms();

}  // namespace culver
