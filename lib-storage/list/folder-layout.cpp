#include "lib-storage/list/folder-layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-mail/modified-utf7.h"

namespace culver {

namespace {
constexpr std::time_t kLeftoverAge = 600;  // seconds after which nobody works on it any more
}

std::unexpected<Error> refuse_name(std::string text) {
    Error error{ErrorCode::InvalidArgument, text, text};
    return fail(std::move(error));
}

std::unexpected<Error> already_exists(const char* client_text) {
    return fail(Error{ErrorCode::AlreadyExists, client_text, client_text});
}

std::unexpected<Error> no_such_mailbox() {
    return fail(Error{ErrorCode::NotFound, "Mailbox doesn't exist", "Mailbox doesn't exist"});
}

Status rename_exclusively(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno == EINVAL || errno == ENOSYS) {
        // A file system without the flag (NFS): the list lock keeps other Culver processes away.
        struct stat st;
        if (::lstat(to.c_str(), &st) == 0) return already_exists("Mailbox already exists");
        if (::rename(from.c_str(), to.c_str()) == 0) return {};
    }
    if (errno == EEXIST || errno == ENOTEMPTY) return already_exists("Mailbox already exists");
    return fail_errno("rename(" + from + ", " + to + ")");
}

Status check_levels(std::string_view path, FolderLayout::Purpose purpose) {
    const bool is_new = purpose == FolderLayout::Purpose::Create;
    if (path.empty()) return refuse_name("Invalid mailbox name: Name is empty");
    if (path.front() == kLevelSeparator) return refuse_name("Invalid mailbox name: Begins with hierarchy separator");
    if (path.back() == kLevelSeparator) return refuse_name("Invalid mailbox name: Ends with hierarchy separator");
    if (is_new && path.front() == '~') return refuse_name("Invalid mailbox name: Begins with '~'");
    const auto levels = levels_of(path);
    if (is_new && levels.size() > kFolderDepth) return refuse_name("Mailbox name too long");
    for (const std::string_view level : levels) {
        if (level.empty()) return refuse_name("Invalid mailbox name: Has adjacent hierarchy separators");
        if (is_new && level.size() > kLevelLimit) return refuse_name("Mailbox name too long");
        if (level.find('/') != std::string_view::npos)
            return refuse_name("Invalid mailbox name: Name must not have '/' characters");
        for (const char c : level) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                return refuse_name("Control characters not allowed in new mailbox names");
        }
    }
    return {};
}

std::string FolderLayout::encode(std::string_view level) const {
    if (location_.is_utf8) return std::string(level);
    auto encoded = modified_utf7_encode(level);
    return encoded ? std::move(*encoded) : std::string(level);
}

std::optional<std::string> FolderLayout::decode(std::string_view directory) const {
    std::optional<std::string> name;
    if (!location_.is_utf8) name = modified_utf7_decode(directory);
    if (!name && is_valid_utf8(directory)) name = std::string(directory);
    if (!name) return std::nullopt;
    for (const char c : *name)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    return name;
}

std::string FolderLayout::temporary_name(const std::string& directory, std::string_view purpose) {
    return fmt::format("{}/{}{}.{}.{:016x}", directory, kTemporaryPrefix, purpose, ::getpid(), random_uint64());
}

void FolderLayout::remove_leftovers(const std::string& directory) const {
    const auto entries = read_directory(directory);
    if (!entries) return;
    for (const DirectoryEntry& entry : *entries) {
        if (!entry.name.starts_with(kTemporaryPrefix)) continue;
        const std::string path = directory + "/" + entry.name;
        struct stat st;
        if (::lstat(path.c_str(), &st) != 0 || ::time(nullptr) - st.st_ctime < kLeftoverAge) continue;
        if (const Status removed = remove_tree(path); !removed)
            log_warning("Cannot remove what an interrupted folder operation left behind: " + removed.error().detail);
    }
}

std::unique_ptr<FolderLayout> make_layout(MailLocation location) {
    return location.layout == FolderLayoutKind::Fs ? make_fs_layout(std::move(location))
                                                   : make_maildir_layout(std::move(location));
}

}  // namespace culver
