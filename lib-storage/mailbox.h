// Mailbox: one mailbox of a user, opened. All sessions of the process share one Mailbox per mailbox directory.
//
// Holds the one in-memory copy (MailboxState) of flags, sizes, dates and UIDs in flat arrays, follows the index log of
// other processes, and writes changes: log first, file names shortly after (docs/index-format.md, docs/design.md).
// Every function may be called from any thread at any time and blocks for disk only. Uids that no longer exist are
// skipped silently unless said otherwise. Errors carry a client text where a client can do something about it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-storage/types.h"

namespace culver {

class MailboxView;

// Where one mailbox lives; made by lib-storage/list from mail_location and the name.
struct MailboxPaths {
    std::string mail;          // directory with cur, new, tmp
    std::string control;       // directory of dovecot-uidlist, dovecot-keywords
    std::string index;         // directory of culver.* ; empty = in memory only (INDEX=MEMORY)
    std::string root_control;  // directory of dovecot-uidvalidity (the account's root)
};

struct MailboxOptions {
    enum class Fsync { Optimized, Always, Never } fsync = Fsync::Optimized;
    bool save_crlf = false;           // mail_save_crlf
    bool copy_with_hardlinks = true;  // maildir_copy_with_hardlinks
    std::string hostname;             // for file names
    unsigned keyword_limit = 100, keyword_length = 50;
    unsigned file_mode = 0600, directory_mode = 0700;  // taken from the mail root (Dovecot's rule)
    std::string user;                                  // for log lines
};

enum class FlagOperation { Add, Remove, Replace };

struct StoreChange {
    FlagOperation operation = FlagOperation::Add;
    std::uint8_t system = 0;
    std::vector<std::string> keywords;      // names; new ones are added to the mailbox (error Limit when full)
    std::optional<ModSeq> unchanged_since;  // RFC 7162 §3.1.3
};

struct StoreResult {
    std::vector<Uid> modified;  // refused by unchanged_since, ascending
    std::vector<Uid> changed;   // really changed, ascending
    ModSeq modseq;              // given to all changed messages
};

struct ExpungeResult {
    std::vector<Uid> expunged;  // ascending
    ModSeq modseq;
};

struct SaveOptions {
    std::uint8_t system = 0;
    std::vector<std::string> keywords;
    std::optional<std::int64_t> internal_date;  // default: now
    std::string guid;                           // usually empty
};

struct SavedMessages {
    std::uint32_t uid_validity = 0;
    std::vector<Uid> uids;  // in the order of the saves; empty after a delivery (nobody is told)
};

// A message being received; nothing is visible before commit. Destroyed uncommitted, it leaves nothing behind.
class SaveTransaction {
public:
    virtual ~SaveTransaction() = default;
    // Begins a message; bytes follow by write(), in any chunks, with LF or CRLF (stored with LF unless mail_save_crlf).
    virtual Status begin(const SaveOptions& options) = 0;
    virtual Status write(std::string_view bytes) = 0;
    virtual Status end() = 0;
    // Makes all messages appear at once, in order. On return they survive a power cut, and so do their UIDs when
    // `uids` is Durable (APPENDUID); with NotTold (a delivery) only the messages. Concurrent commits share fsyncs.
    enum class Uids { Durable, NotTold };
    virtual Result<SavedMessages> commit(Uids uids) = 0;
};

struct CopyResult {
    std::uint32_t uid_validity = 0;   // of the destination
    std::vector<Uid> source, copied;  // pairwise; COPYUID
};

// A message's bytes, mapped read-only. Stored line ends (usually LF). Valid while this object lives, also if another
// program removes the file meanwhile.
class MessageFile {
public:
    virtual ~MessageFile() = default;
    virtual std::string_view bytes() const = 0;
};

// What the cache keeps per message; values are opaque to the storage. Bump kCacheVersion when a meaning changes.
enum class CacheField : std::uint8_t {
    Envelope = 1,       // the text behind "ENVELOPE "
    Body = 2,           // the text behind "BODY "
    BodyStructure = 3,  // the text behind "BODYSTRUCTURE "
    Structure = 4,      // serialised part offsets
    Headers = 5,        // selected header fields, serialised
    SentDate = 6,       // the Date header, parsed
};

class Mailbox {
public:
    virtual ~Mailbox() = default;

    // A new session's view; `recent` decides whether this session claims \Recent (SELECT) or not (EXAMINE, STATUS).
    // SELECT also moves new/ to cur/. Uids shown are durable first.
    enum class Access { ReadWrite, ReadOnly };
    virtual Result<std::unique_ptr<MailboxView>> open_view(Access access) = 0;

    virtual Result<MailboxStatus> status() = 0;
    virtual std::uint32_t uid_validity() const = 0;
    virtual std::string guid() const = 0;
    virtual bool is_read_only() const = 0;
    // Index = bit in KeywordSet. Grows only. A snapshot.
    virtual std::vector<std::string> keywords() const = 0;

    // Looks for changes by other processes and programs: cheap when nothing happened (two stats at the most).
    virtual Status refresh() = 0;

    virtual Result<StoreResult> store(std::span<const Uid> uids, const StoreChange& change) = 0;
    // Removes messages that carry \Deleted; only those among `only` if given (UID EXPUNGE).
    virtual Result<ExpungeResult> expunge(std::optional<std::span<const Uid>> only) = 0;
    virtual Result<std::unique_ptr<SaveTransaction>> begin_save() = 0;
    // Copies to `destination` (may be this mailbox) with flags, keywords, internal date. All or nothing. Durable.
    virtual Result<CopyResult> copy_to(Mailbox& destination, std::span<const Uid> uids) = 0;
    // RFC 6851: copied and durable first, then expunged here whatever their flags.
    virtual Result<CopyResult> move_to(Mailbox& destination, std::span<const Uid> uids, ExpungeResult* expunged) = 0;

    // NotFound if it was expunged and its file is gone.
    virtual Result<std::unique_ptr<MessageFile>> open_message(Uid uid) = 0;
    // RFC822.SIZE; from the index, the file name (W=) or by reading the file once.
    virtual Result<std::uint64_t> virtual_size(Uid uid) = 0;
    virtual Result<std::string> message_guid(Uid uid) = 0;

    // Cache lookups copy nothing: `visit` gets the bytes while they are pinned. False if not cached.
    virtual bool cached(Uid uid, CacheField field, const std::function<void(std::string_view)>& visit) = 0;
    virtual void cache(Uid uid, CacheField field, std::string_view value) = 0;  // written out in batches

    // UIDs expunged after `since`, as ranges (QRESYNC VANISHED (EARLIER)); all unknown ones if history does not reach
    // back.
    virtual Result<std::vector<UidRange>> expunged_since(ModSeq since) = 0;

    // `on_change` is called from any thread, soon (milliseconds) after anything in this mailbox changed, by whomever.
    // At most one call between two calls of MailboxView::sync. Destroying the subscription ends it.
    class Subscription {
    public:
        virtual ~Subscription() = default;
    };
    virtual std::unique_ptr<Subscription> subscribe(std::function<void()> on_change) = 0;
};

// Opens mailboxes and keeps them: one per process. Thread-safe.
class MailboxCache {
public:
    // At most `keep` mailboxes without users stay open.
    explicit MailboxCache(std::size_t keep = 100);
    ~MailboxCache();
    // Shared by all sessions of the process that use this mailbox, and by the cache.
    Result<std::shared_ptr<Mailbox>> open(const MailboxPaths& paths, const MailboxOptions& options);
    // Forgets a mailbox that was deleted or renamed; handles still held answer NotFound from then on.
    void forget(const MailboxPaths& paths);
    // Writes out what is only in memory (pending renames, caches); also happens by itself after a second.
    void flush();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
