// MailboxFormat: the one interface that a mailbox format implements. Nothing above it knows what a file name means.
//
// A format knows files; the index knows messages. Functions that change something are called under the mailbox's lock,
// except where they say otherwise. No function keeps state that another process could make wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-storage/index/message.h"
#include "lib-storage/maildir/uidlist.h"

namespace culver {

// Where a message's file is and what it is called.
struct StoredFile {
    std::string base, odd_info;
    std::uint8_t place = 0;  // Place bits
    FileFlags disk = 0;
};

// One file that a scan came across; valid during the visit.
struct FoundFile {
    std::string_view base, info;
    FileFlags flags = 0;
    std::uint8_t place = 0;
};

struct FileTimes {
    std::int64_t modified = 0, changed = 0;  // seconds since 1970
    std::uint64_t size = 0;
};

// A message being written; nobody sees it. Removed when destroyed, unless it was placed.
class TemporaryFile {
public:
    TemporaryFile(UniqueFd fd, std::string path, std::string base)
        : fd_(std::move(fd)), path_(std::move(path)), base_(std::move(base)) {}
    TemporaryFile(TemporaryFile&& other) noexcept
        : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})), base_(std::move(other.base_)) {}
    TemporaryFile& operator=(TemporaryFile&&) = delete;
    ~TemporaryFile() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }

    UniqueFd& fd() { return fd_; }
    const std::string& path() const { return path_; }
    const std::string& base() const { return base_; }  // unique name without S= and W=
    void placed() { path_.clear(); }

private:
    UniqueFd fd_;
    std::string path_, base_;
};

// What the format has on record about UIDs (Maildir: dovecot-uidlist).
struct UidRecord {
    std::string text;  // owns what `list` points into
    Uidlist list;
    bool exists = false;
};

class MailboxFormat {
public:
    virtual ~MailboxFormat() = default;

    // Makes the directories that are missing. NotFound if the mailbox itself is not there. No lock needed.
    virtual Status prepare() = 0;
    // The present mtimes of the directories and the uid record's identity. No lock needed.
    virtual Result<DiskStamp> stamp() = 0;
    // Visits every message file of cur/ and/or new/. No lock needed.
    virtual Status scan(bool cur, bool in_new, const std::function<void(const FoundFile&)>& visit) = 0;

    // Opens for reading; NotFound if there is no such file. Never blocks on a FIFO, follows no link. No lock needed.
    virtual Result<UniqueFd> open(const StoredFile& file) = 0;
    virtual Result<FileTimes> times(const StoredFile& file) = 0;
    // Gives the file the flags and puts it into new/ or cur/. Returns where it is then. NotFound if it is gone.
    virtual Result<StoredFile> set_flags(const StoredFile& file, FileFlags flags, bool into_cur) = 0;
    // NotFound if it was gone already.
    virtual Status remove(const StoredFile& file) = 0;

    // No lock needed.
    virtual Result<TemporaryFile> create_temporary() = 0;
    virtual std::string new_base_name() = 0;
    virtual Status place(TemporaryFile& temporary, const StoredFile& as) = 0;
    // Another name for the same bytes; `source` is a path of the same format.
    virtual Status link(const std::string& source, const StoredFile& as) = 0;
    virtual std::string path(const StoredFile& file) const = 0;
    // The names in these directories survive a power cut from here on. No lock needed.
    virtual Status sync_directories(bool cur, bool in_new) = 0;
    // Removes temporary files that nobody can be writing any more. No lock needed.
    virtual void clean_temporaries() = 0;

    // The next three also need the lock that other programs know (lock_uids).
    virtual Result<UidRecord> read_uids() = 0;
    // Appends lines as append_uidlist_line makes them; undone if it fails. `expected_size` is the file's size before.
    virtual Status append_uids(std::string_view lines, std::uint64_t expected_size) = 0;
    virtual Status rewrite_uids(std::string_view text, bool sync) = 0;
    virtual Status sync_uids() = 0;  // no lock needed
    virtual Status lock_uids() = 0;
    virtual void unlock_uids() = 0;
    // A UIDVALIDITY for a mailbox that has none: never one that was used in this account.
    virtual Result<std::uint32_t> new_uid_validity() = 0;

    // Index = letter. Empty names where there is none.
    virtual Result<std::vector<std::string>> read_keywords() = 0;
    virtual Status write_keywords(const std::vector<std::string>& names, bool sync) = 0;
};

}  // namespace culver
