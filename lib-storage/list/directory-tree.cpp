#include "lib-storage/list/directory-tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "lib-base/unique-fd.h"

namespace culver {

namespace {

// The user's own tree is at most 20 levels deep (docs/limits.md); what others put there may be deeper.
constexpr std::size_t kRemoveDepth = 64;

Status set_modes(const std::string& path, unsigned mode, gid_t group) {
    // Without the right to give the group away the mode still stands, as Dovecot does it.
    if (group != static_cast<gid_t>(-1) && ::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0 && errno != EPERM)
        return fail_errno("chown(" + path + ")");
    if (::chmod(path.c_str(), mode) != 0) return fail_errno("chmod(" + path + ")");
    return {};
}

}  // namespace

std::string directory_part(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return path.substr(0, slash == 0 ? 1 : slash);
}

TreeModes modes_of(const std::string& root) {
    struct stat st;
    TreeModes modes;
    if (::stat(root.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return modes;
    modes.directory = (st.st_mode & 07777) | 0700;
    modes.file = (st.st_mode & 0666) | 0600;
    // A group that shares the root shares what is made below it.
    if ((st.st_mode & 0070) != 0 && (st.st_mode & S_ISGID) == 0 && st.st_gid != ::getegid()) modes.group = st.st_gid;
    return modes;
}

EntryKind kind_of(const std::string& path) {
    struct stat st;
    if (::stat(path.c_str(), &st) != 0) return EntryKind::Missing;
    return S_ISDIR(st.st_mode) ? EntryKind::Directory : EntryKind::Other;
}

Status make_directory(const std::string& path, const TreeModes& modes) {
    if (::mkdir(path.c_str(), modes.directory & 0777) != 0) return fail_errno("mkdir(" + path + ")");
    return set_modes(path, modes.directory, modes.group);
}

Status make_directories(const std::string& path, const TreeModes& modes) {
    std::vector<std::string> missing;
    std::string at = path;
    while (at.size() > 1 && kind_of(at) == EntryKind::Missing) {
        missing.push_back(at);
        at = directory_part(at);
    }
    for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
        const Status made = make_directory(*it, modes);
        // Another process may have been quicker.
        if (!made && kind_of(*it) != EntryKind::Directory) return made;
    }
    if (kind_of(path) != EntryKind::Directory)
        return fail(ErrorCode::Io,
                    path + " is not a directory, or one that may not be seen; mail needs a directory there");
    return {};
}

Status make_empty_file(const std::string& path, const TreeModes& modes) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, modes.file));
    if (!fd) return errno == EEXIST ? Status() : fail_errno("open(" + path + ")");
    return set_modes(path, modes.file, modes.group);
}

Result<std::vector<DirectoryEntry>> read_directory(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) return fail_errno("opendir(" + path + ")");
    std::vector<DirectoryEntry> entries;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(dir.get());
        if (!entry) {
            if (errno != 0) return fail_errno("readdir(" + path + ")");
            return entries;
        }
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        auto kind = DirectoryEntry::Kind::Other;
        if (entry->d_type == DT_DIR) kind = DirectoryEntry::Kind::Directory;
        if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) kind = DirectoryEntry::Kind::Unknown;
        entries.push_back({std::string(name), kind});
    }
}

Status remove_tree(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return fail_errno("unlink(" + path + ")");
    // Directories still to be emptied, the deepest last; each is read once and removed when it is met again.
    std::vector<std::pair<std::string, bool>> stack = {{path, false}};
    while (!stack.empty()) {
        auto& [directory, is_emptied] = stack.back();
        if (is_emptied) {
            if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir(" + directory + ")");
            stack.pop_back();
            continue;
        }
        is_emptied = true;
        const std::string current = directory;
        auto entries = read_directory(current);
        if (!entries && entries.error().code == ErrorCode::NotFound) continue;
        for (const DirectoryEntry& entry : TRY(std::move(entries))) {
            const std::string child = current + "/" + entry.name;
            if (::unlink(child.c_str()) == 0 || errno == ENOENT) continue;
            if (errno != EISDIR && errno != EPERM) return fail_errno("unlink(" + child + ")");
            if (child.size() - path.size() > 256 * kRemoveDepth)
                return fail(ErrorCode::Limit, child + " lies too deep");
            stack.emplace_back(child, false);
        }
    }
    return {};
}

}  // namespace culver
