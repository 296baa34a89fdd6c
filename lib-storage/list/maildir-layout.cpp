// Maildir++: every folder is a directory beside INBOX's cur, new and tmp: "." + the levels joined by ".".
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "lib-base/file.h"
#include "lib-storage/list/folder-layout.h"

namespace culver {

namespace {

class MaildirLayout final : public FolderLayout {
public:
    explicit MaildirLayout(MailLocation location) : FolderLayout(std::move(location)) {}

    Status check(std::string_view path, char separator, Purpose purpose) const override {
        if (separator != '.' && path.find('.') != std::string_view::npos)
            return refuse_name("Character not allowed in mailbox name: '.'");
        TRY(check_levels(path, purpose));
        // The whole name is one directory's name.
        if (directory_name(path).size() > 255) return refuse_name("Mailbox name too long");
        return {};
    }

    Result<std::vector<FoundFolder>> scan() const override {
        const auto entries = TRY(read_directory(location_.mail_root));
        std::vector<FoundFolder> folders;
        for (const DirectoryEntry& entry : entries) {
            if (entry.name[0] != '.' || entry.kind == DirectoryEntry::Kind::Other) continue;
            auto path = path_of(std::string_view(entry.name).substr(1));
            if (!path) continue;
            if (entry.kind == DirectoryEntry::Kind::Unknown &&
                kind_of(location_.mail_root + "/" + entry.name) != EntryKind::Directory)
                continue;
            folders.push_back({std::move(*path), true});
            if (folders.size() == kFolderLimit) break;
        }
        return folders;
    }

    Presence presence(std::string_view path) const override {
        if (is_inbox(path))
            return kind_of(location_.inbox + "/cur") == EntryKind::Directory ? Presence::Mailbox : Presence::Missing;
        return kind_of(location_.mail_root + "/" + existing_name(path)) == EntryKind::Directory ? Presence::Mailbox
                                                                                                : Presence::Missing;
    }

    MailboxPaths paths(std::string_view path) const override {
        const std::string name = is_inbox(path) ? ".INBOX" : existing_name(path);
        const bool has_inbox_root = is_inbox(path);
        MailboxPaths paths;
        paths.mail = has_inbox_root ? location_.inbox : location_.mail_root + "/" + name;
        paths.control =
            location_.control_root == location_.mail_root ? paths.mail : location_.control_root + "/" + name;
        if (location_.index_root == location_.mail_root) {
            paths.index = paths.mail;
        } else if (!location_.index_root.empty()) {
            paths.index = location_.index_root + "/" + name;
        }
        paths.root_control = location_.control_root;
        return paths;
    }

    Status create(std::string_view path) const override {
        if (presence(path) != Presence::Missing) return already_exists("Mailbox already exists");
        const std::string& root = location_.mail_root;
        const TreeModes modes = modes_of(root);
        TRY(make_directories(root, modes));
        remove_leftovers(root);
        const MailboxPaths target = paths(path);
        // A deletion that was cut short may have left an old uidlist where the new mailbox would take it for its own.
        TRY(remove_apart(target));
        const std::string staged = temporary_name(root, "create");
        const auto build = [&]() -> Status {
            TRY(make_directory(staged, modes));
            for (const char* name : {"/tmp", "/new", "/cur"}) TRY(make_directory(staged + name, modes));
            TRY(make_empty_file(staged + "/maildirfolder", modes));
            TRY(sync_directory(staged));
            TRY(rename_exclusively(staged, target.mail));
            return sync_directory(root);
        };
        const Status built = build();
        if (!built) (void)remove_tree(staged);
        return built;
    }

    Status create_directory(std::string_view path) const override { return create(path); }

    Status remove(std::string_view path) const override {
        if (presence(path) == Presence::Missing) return no_such_mailbox();
        const std::string& root = location_.mail_root;
        const MailboxPaths target = paths(path);
        const std::string gone = temporary_name(root, "delete");
        TRY(rename_exclusively(target.mail, gone));
        TRY(sync_directory(root));
        TRY(remove_apart(target));
        TRY(remove_tree(gone));
        remove_leftovers(root);
        return {};
    }

    Status rename(std::string_view from, std::string_view to, const std::vector<FoundFolder>& folders) const override {
        std::vector<std::pair<FolderPath, FolderPath>> moves;
        for (const FoundFolder& folder : folders) {
            if (folder.path != from && !is_below(folder.path, from)) continue;
            moves.emplace_back(folder.path, std::string(to) + folder.path.substr(from.size()));
        }
        if (moves.empty()) return no_such_mailbox();
        for (const auto& move : moves) {
            TRY(check(move.second, '.', Purpose::Create));
            if (presence(move.second) != Presence::Missing) return already_exists("Target mailbox already exists");
        }
        std::sort(moves.begin(), moves.end());
        for (std::size_t done = 0; done < moves.size(); ++done) {
            const Status moved = move_one(moves[done].first, moves[done].second);
            if (moved) continue;
            // What was moved goes back, so that the user sees all or nothing.
            while (done > 0) {
                --done;
                (void)move_one(moves[done].second, moves[done].first);
            }
            return moved;
        }
        return sync_directory(location_.mail_root);
    }

private:
    std::string directory_name(std::string_view path) const {
        std::string name = encode(path_with_dots(path));
        return "." + name;
    }

    static std::string path_with_dots(std::string_view path) {
        std::string name(path);
        std::replace(name.begin(), name.end(), kLevelSeparator, '.');
        return name;
    }

    // The directory as it should be called, or as it is if somebody made it with a name that no encoder would write.
    std::string existing_name(std::string_view path) const {
        std::string name = directory_name(path);
        std::string plain = "." + path_with_dots(path);
        if (plain == name || kind_of(location_.mail_root + "/" + name) != EntryKind::Missing ||
            kind_of(location_.mail_root + "/" + plain) == EntryKind::Missing)
            return name;
        return plain;
    }

    // From a directory's name without its dot.
    std::optional<FolderPath> path_of(std::string_view name) const {
        if (name.empty() || name.front() == '.' || name.back() == '.' || name.find("..") != std::string_view::npos)
            return std::nullopt;
        auto path = decode(name);
        if (!path) return std::nullopt;
        std::replace(path->begin(), path->end(), '.', kLevelSeparator);
        if (!location_.has_inbox) return path;
        if (equals_ignore_case(*path, "INBOX")) return std::nullopt;
        // INBOX has no case, as a parent neither.
        if (starts_with_ignore_case(*path, "INBOX\t")) path->replace(0, 5, "INBOX");
        return path;
    }

    // Control and index directories that do not lie in the mailbox's own.
    Status remove_apart(const MailboxPaths& target) const {
        if (target.control != target.mail) TRY(remove_tree(target.control));
        if (!target.index.empty() && target.index != target.mail && target.index != target.control)
            TRY(remove_tree(target.index));
        return {};
    }

    Status move_one(const FolderPath& from, const FolderPath& to) const {
        const MailboxPaths source = paths(from), target = paths(to);
        TRY(remove_apart(target));
        // First what belongs to the mailbox, so that nobody opens it under its new name without its UIDs.
        TRY(move_apart(source.control, source.mail, target.control));
        if (source.index != source.control && !source.index.empty())
            TRY(move_apart(source.index, source.mail, target.index));
        return rename_exclusively(source.mail, target.mail);
    }

    static Status move_apart(const std::string& from, const std::string& mail, const std::string& to) {
        if (from == mail || kind_of(from) == EntryKind::Missing) return {};
        TRY(rename_exclusively(from, to));
        return sync_directory(directory_part(to));
    }
};

}  // namespace

std::unique_ptr<FolderLayout> make_maildir_layout(MailLocation location) {
    return std::make_unique<MaildirLayout>(std::move(location));
}

}  // namespace culver
