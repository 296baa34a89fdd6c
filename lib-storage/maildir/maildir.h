// Maildir: MailboxFormat over cur/, new/, tmp/ and Dovecot's control files (docs/maildir.md).
#pragma once

#include <string>

#include "lib-storage/mailbox-format.h"
#include "lib-storage/mailbox.h"
#include "lib-storage/maildir/dot-lock.h"

namespace culver {

class Maildir final : public MailboxFormat {
public:
    Maildir(MailboxPaths paths, MailboxOptions options);

    Status prepare() override;
    Result<DiskStamp> stamp() override;
    Status scan(bool cur, bool in_new, const std::function<void(const FoundFile&)>& visit) override;
    Result<UniqueFd> open(const StoredFile& file) override;
    Result<FileTimes> times(const StoredFile& file) override;
    Result<StoredFile> set_flags(const StoredFile& file, FileFlags flags, bool into_cur) override;
    Status remove(const StoredFile& file) override;
    Result<TemporaryFile> create_temporary() override;
    std::string new_base_name() override;
    Status place(TemporaryFile& temporary, const StoredFile& as) override;
    Status link(const std::string& source, const StoredFile& as) override;
    std::string path(const StoredFile& file) const override;
    Status sync_directories(bool cur, bool in_new) override;
    void clean_temporaries() override;
    Result<UidRecord> read_uids() override;
    Status append_uids(std::string_view lines, std::uint64_t expected_size) override;
    Status rewrite_uids(std::string_view text, bool sync) override;
    Status sync_uids() override;
    Status lock_uids() override;
    void unlock_uids() override;
    Result<std::uint32_t> new_uid_validity() override;
    Result<std::vector<std::string>> read_keywords() override;
    Status write_keywords(const std::vector<std::string>& names, bool sync) override;

private:
    const MailboxPaths paths_;
    const MailboxOptions options_;
    const std::string hostname_;  // as it may stand in a file name
    DotLock uidlist_lock_;        // guarded by the mailbox's writer mutex, as is its depth
    unsigned uidlist_lock_depth_ = 0;
};

}  // namespace culver
