// LAYOUT=fs: folders are nested directories; one that holds cur, new and tmp is a mailbox, another only holds folders.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-storage/list/folder-layout.h"

namespace culver {

namespace {

bool is_reserved(std::string_view level) {
    return level == "cur" || level == "new" || level == "tmp" || level.starts_with(kTemporaryPrefix);
}

// A directory's identity, to notice symbolic links that lead back up.
struct DirectoryId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const DirectoryId&) const = default;
};

struct Pending {
    std::string directory;  // absolute
    FolderPath path;        // empty for the root
    std::vector<DirectoryId> ancestors;
};

class FsLayout final : public FolderLayout {
public:
    explicit FsLayout(MailLocation location) : FolderLayout(std::move(location)) {}

    Status check(std::string_view path, char, Purpose purpose) const override {
        TRY(check_levels(path, purpose));
        for (const std::string_view level : levels_of(path)) {
            if (level == ".") return refuse_name("Invalid mailbox name: Contains '.' part");
            if (level == "..") return refuse_name("Invalid mailbox name: Contains '..' part");
            if (is_reserved(level) || level == location_.directory_name)
                return refuse_name("Invalid mailbox name: Contains reserved name");
            if (encode(level).size() > 255) return refuse_name("Mailbox name too long");
        }
        return {};
    }

    Result<std::vector<FoundFolder>> scan() const override {
        std::vector<FoundFolder> folders;
        std::vector<Pending> stack = {{location_.mail_root, "", {}}};
        bool is_root = true;
        while (!stack.empty() && folders.size() < kFolderLimit) {
            const Pending at = std::move(stack.back());
            stack.pop_back();
            auto entries = read_directory(at.directory);
            if (!entries) {
                if (is_root) return std::unexpected(std::move(entries).error());
                log_debug("Folder skipped: " + entries.error().detail);
                continue;
            }
            is_root = false;
            scan_one(at, *entries, folders, stack);
        }
        return folders;
    }

    Presence presence(std::string_view path) const override {
        if (is_inbox(path))
            return kind_of(location_.inbox + "/cur") == EntryKind::Directory ? Presence::Mailbox : Presence::Missing;
        const std::string directory = existing_directory(path);
        if (kind_of(mail_directory(directory) + "/cur") == EntryKind::Directory) return Presence::Mailbox;
        return kind_of(directory) == EntryKind::Directory ? Presence::Directory : Presence::Missing;
    }

    MailboxPaths paths(std::string_view path) const override {
        MailboxPaths paths;
        paths.root_control = location_.control_root;
        const std::string directory = existing_directory(path);
        const std::string below = directory.substr(location_.mail_root.size());
        paths.mail = is_inbox(path) ? location_.inbox : mail_directory(directory);
        paths.control =
            location_.control_root == location_.mail_root ? paths.mail : mail_directory(location_.control_root + below);
        if (location_.index_root == location_.mail_root) {
            paths.index = paths.mail;
        } else if (!location_.index_root.empty()) {
            paths.index = mail_directory(location_.index_root + below);
        }
        return paths;
    }

    Status create(std::string_view path) const override {
        const TreeModes modes = modes_of(location_.mail_root);
        if (presence(path) == Presence::Mailbox) return already_exists("Mailbox already exists");
        const MailboxPaths target = paths(path);
        TRY(make_directories(target.mail, modes));
        TRY(remove_own_files(target.mail));
        TRY(remove_apart(target));
        for (const char* name : {"/tmp", "/new"})
            if (kind_of(target.mail + name) != EntryKind::Directory) TRY(make_directory(target.mail + name, modes));
        // cur makes it a mailbox; whoever makes it has created the mailbox.
        const Status made = make_directory(target.mail + "/cur", modes);
        if (!made && made.error().code == ErrorCode::AlreadyExists) return already_exists("Mailbox already exists");
        TRY(made);
        return sync_upwards(target.mail);
    }

    Status create_directory(std::string_view path) const override {
        if (presence(path) != Presence::Missing) return already_exists("Mailbox already exists");
        const std::string directory = existing_directory(path);
        TRY(make_directories(directory, modes_of(location_.mail_root)));
        return sync_upwards(directory);
    }

    Status remove(std::string_view path) const override {
        const std::string directory = existing_directory(path);
        switch (presence(path)) {
            case Presence::Missing: return no_such_mailbox();
            case Presence::Directory: return remove_plain(directory);
            case Presence::Mailbox: break;
        }
        const MailboxPaths target = paths(path);
        const TreeModes modes = modes_of(location_.mail_root);
        const std::string gone = temporary_name(location_.mail_root, "delete");
        TRY(make_directory(gone, modes));
        // Without cur it is no mailbox any more; the rest is sweeping.
        TRY(rename_exclusively(target.mail + "/cur", gone + "/cur"));
        TRY(sync_directory(target.mail));
        for (const char* name : {"/new", "/tmp"})
            if (kind_of(target.mail + name) != EntryKind::Missing)
                TRY(rename_exclusively(target.mail + name, gone + name));
        TRY(remove_own_files(target.mail));
        TRY(remove_apart(target));
        TRY(remove_tree(gone));
        if (target.mail != directory) (void)::rmdir(target.mail.c_str());
        (void)::rmdir(directory.c_str());  // stays if it holds other folders
        remove_leftovers(location_.mail_root);
        return sync_upwards(directory_part(directory));
    }

    Status rename(std::string_view from, std::string_view to, const std::vector<FoundFolder>&) const override {
        if (presence(from) == Presence::Missing) return no_such_mailbox();
        if (presence(to) != Presence::Missing) return already_exists("Target mailbox already exists");
        const std::string source = existing_directory(from), target = existing_directory(to);
        const TreeModes modes = modes_of(location_.mail_root);
        for (const std::string* root : {&location_.control_root, &location_.index_root})
            if (*root != location_.mail_root && !root->empty()) TRY(move_apart(*root, source, target, modes));
        TRY(make_directories(directory_part(target), modes));
        TRY(rename_exclusively(source, target));
        TRY(sync_upwards(directory_part(target)));
        return sync_directory(directory_part(source));
    }

private:
    std::string mail_directory(const std::string& directory) const {
        return location_.directory_name.empty() ? directory : directory + "/" + location_.directory_name;
    }

    // The folder's directory; a level that somebody named without encoding is found under that name.
    std::string existing_directory(std::string_view path) const {
        std::string directory = location_.mail_root;
        for (const std::string_view level : levels_of(path)) {
            const std::string encoded = encode(level);
            std::string plain = directory + "/" + std::string(level);
            directory += "/" + encoded;
            if (encoded != level && kind_of(directory) == EntryKind::Missing && kind_of(plain) != EntryKind::Missing)
                directory = std::move(plain);
        }
        return directory;
    }

    void scan_one(const Pending& at, const std::vector<DirectoryEntry>& entries, std::vector<FoundFolder>& folders,
                  std::vector<Pending>& stack) const {
        for (const DirectoryEntry& entry : entries) {
            if (entry.kind == DirectoryEntry::Kind::Other || is_reserved(entry.name) ||
                entry.name == location_.directory_name)
                continue;
            const auto level = decode(entry.name);
            if (!level) continue;
            Pending child{at.directory + "/" + entry.name,
                          at.path.empty() ? *level : at.path + kLevelSeparator + *level, at.ancestors};
            if (entry.kind == DirectoryEntry::Kind::Unknown && leads_back(child)) continue;
            const bool is_mailbox = kind_of(mail_directory(child.directory) + "/cur") == EntryKind::Directory;
            // "INBOX" itself is no folder here, but it may hold some.
            if (!(location_.has_inbox && equals_ignore_case(child.path, "INBOX")))
                folders.push_back({child.path, is_mailbox});
            if (levels_of(child.path).size() < kFolderDepth) stack.push_back(std::move(child));
        }
    }

    // For symbolic links: true if it is no directory, or one that was entered by a link on the way here.
    bool leads_back(Pending& child) const {
        struct stat st;
        if (::stat(child.directory.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return true;
        const DirectoryId id{st.st_dev, st.st_ino};
        std::string above = child.directory;
        while (above.size() > location_.mail_root.size()) {
            above = directory_part(above);
            if (::stat(above.c_str(), &st) == 0 && id == DirectoryId{st.st_dev, st.st_ino}) return true;
        }
        // Two links that lead into each other end here too.
        if (std::find(child.ancestors.begin(), child.ancestors.end(), id) != child.ancestors.end()) return true;
        child.ancestors.push_back(id);
        return false;
    }

    Status remove_plain(const std::string& directory) const {
        if (::rmdir(directory.c_str()) == 0) return sync_directory(directory_part(directory));
        if (errno != ENOTEMPTY && errno != EEXIST) return fail_errno("rmdir(" + directory + ")");
        const char* text = "Mailbox has children, delete them first";
        return fail(Error{ErrorCode::Unsupported, text, text});
    }

    // The files of Dovecot and Culver beside cur; directories are folders and stay.
    static Status remove_own_files(const std::string& directory) {
        const auto entries = read_directory(directory);
        if (!entries) return {};
        for (const DirectoryEntry& entry : *entries) {
            const std::string_view name = entry.name;
            if (!name.starts_with("dovecot") && !name.starts_with("culver.") && name != "maildirfolder") continue;
            const std::string path = directory + "/" + entry.name;
            if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != EISDIR && errno != EPERM)
                return fail_errno("unlink(" + path + ")");
        }
        return {};
    }

    static Status remove_apart(const MailboxPaths& target) {
        for (const std::string* directory : {&target.control, &target.index}) {
            if (*directory == target.mail || directory->empty()) continue;
            TRY(remove_own_files(*directory));
            (void)::rmdir(directory->c_str());
        }
        return {};
    }

    Status move_apart(const std::string& root, const std::string& source, const std::string& target,
                      const TreeModes& modes) const {
        const std::string from = root + source.substr(location_.mail_root.size());
        const std::string to = root + target.substr(location_.mail_root.size());
        if (kind_of(from) == EntryKind::Missing) return {};
        TRY(make_directories(directory_part(to), modes));
        TRY(remove_own_files(to));
        (void)::rmdir(to.c_str());
        TRY(rename_exclusively(from, to));
        return sync_directory(directory_part(to));
    }

    // The directory and its parents up to the mail root: any of them may be new.
    Status sync_upwards(const std::string& directory) const {
        for (std::string at = directory; at.size() > location_.mail_root.size(); at = directory_part(at))
            TRY(sync_directory(at));
        return sync_directory(location_.mail_root);
    }
};

}  // namespace

std::unique_ptr<FolderLayout> make_fs_layout(MailLocation location) {
    return std::make_unique<FsLayout>(std::move(location));
}

}  // namespace culver
