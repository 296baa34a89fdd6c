// Maildir's control files: dovecot-uidlist, dovecot-keywords, dovecot-uidvalidity.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-storage/list/uid-validity.h"
#include "lib-storage/maildir/maildir.h"

namespace culver {

namespace {
constexpr std::size_t kUidlistLimit = std::size_t{1} << 30;
}

Result<UidRecord> Maildir::read_uids() {
    UidRecord record;
    auto text = read_file(paths_.control + "/dovecot-uidlist", kUidlistLimit);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound) return record;
        if (text.error().code == ErrorCode::InvalidArgument) text.error().code = ErrorCode::Corrupt;
        return fail(std::move(text).error());
    }
    record.text = std::move(*text);
    record.exists = true;
    record.list = TRY(parse_uidlist(record.text));
    return record;
}

Status Maildir::append_uids(std::string_view lines, std::uint64_t expected_size) {
    std::string path = paths_.control + "/dovecot-uidlist";
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return fail_errno("open(" + path + ")");
    if (Status written = write_all(fd.get(), lines, path); !written) {
        if (::ftruncate(fd.get(), static_cast<off_t>(expected_size)) != 0)
            written.error().detail += " (and could not be undone)";
        return written;
    }
    return {};
}

Status Maildir::rewrite_uids(std::string_view text, bool sync) {
    return replace_file(paths_.control + "/dovecot-uidlist", text, options_.file_mode,
                        sync && options_.fsync != MailboxOptions::Fsync::Never);
}

Status Maildir::sync_uids() {
    if (options_.fsync == MailboxOptions::Fsync::Never) return {};
    std::string path = paths_.control + "/dovecot-uidlist";
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return fail_errno("open(" + path + ")");
    if (::fdatasync(fd.get()) != 0) return fail_errno("fdatasync(" + path + ")");
    return {};
}

Status Maildir::lock_uids() {
    if (uidlist_lock_depth_ == 0)
        TRY(uidlist_lock_.acquire(paths_.control + "/dovecot-uidlist.lock", paths_.control + "/culver.uidlist-lock",
                                  hostname_));
    ++uidlist_lock_depth_;
    return {};
}

void Maildir::unlock_uids() {
    if (--uidlist_lock_depth_ == 0) uidlist_lock_.release();
}

Result<std::uint32_t> Maildir::new_uid_validity() { return next_uid_validity(paths_.root_control, options_.file_mode); }

Result<std::vector<std::string>> Maildir::read_keywords() {
    std::vector<std::string> names;
    auto text = read_file(paths_.control + "/dovecot-keywords", 1 << 20);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound || text.error().code == ErrorCode::InvalidArgument) return names;
        return fail(std::move(text).error());
    }
    for (std::string_view line : split(*text, '\n')) {
        auto blank = line.find(' ');
        if (blank == std::string_view::npos) continue;
        auto index = parse_uint32(line.substr(0, blank));
        std::string_view name = line.substr(blank + 1);
        if (!index || *index >= kFileKeywords || name.empty() || name.size() > 1000) continue;
        if (names.size() <= *index) names.resize(*index + 1);
        names[*index] = name;
    }
    return names;
}

Status Maildir::write_keywords(const std::vector<std::string>& names, bool sync) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < kFileKeywords; ++i)
        if (!names[i].empty()) text += fmt::format("{} {}\n", i, names[i]);
    return replace_file(paths_.control + "/dovecot-keywords", text, options_.file_mode,
                        sync && options_.fsync != MailboxOptions::Fsync::Never);
}

}  // namespace culver
