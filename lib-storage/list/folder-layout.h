// FolderLayout: how the folders of one mail location lie in directories: Maildir++ or fs.
//
// Knows directories only: no namespaces, no subscriptions. All functions may be called from any thread; those that
// change the tree are called under the list lock (list-lock.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-storage/list/directory-tree.h"
#include "lib-storage/list/folder-path.h"
#include "lib-storage/list/mail-location.h"
#include "lib-storage/mailbox.h"

namespace culver {

struct FoundFolder {
    FolderPath path;
    bool is_mailbox = true;  // false: a plain directory (LAYOUT=fs) that only holds others
};

class FolderLayout {
public:
    virtual ~FolderLayout() = default;

    // Whether the storage can hold this name; InvalidArgument with Dovecot's client text. `separator` is the
    // namespace's. Use: for a folder that may be there already, whoever made it; Create: the stricter rules for new
    // ones.
    enum class Purpose { Use, Create };
    virtual Status check(std::string_view path, char separator, Purpose purpose) const = 0;
    // Every folder that has a directory, INBOX not included, in no order. At most kFolderLimit; odd directory entries
    // are skipped. NotFound if the root does not exist.
    virtual Result<std::vector<FoundFolder>> scan() const = 0;

    enum class Presence { Missing, Directory, Mailbox };
    virtual Presence presence(std::string_view path) const = 0;
    virtual MailboxPaths paths(std::string_view path) const = 0;

    // Makes the directories of a mailbox, all or nothing, durably. AlreadyExists.
    virtual Status create(std::string_view path) const = 0;
    // CREATE with a trailing separator: fs makes a plain directory, Maildir++ the mailbox.
    virtual Status create_directory(std::string_view path) const = 0;
    // Takes the mailbox away in one rename, then removes its files; its children stay.
    virtual Status remove(std::string_view path) const = 0;
    // Renames a folder and all below it. `folders` is what scan() gave.
    virtual Status rename(std::string_view from, std::string_view to,
                          const std::vector<FoundFolder>& folders) const = 0;

    const MailLocation& location() const { return location_; }

protected:
    explicit FolderLayout(MailLocation location) : location_(std::move(location)) {}
    // One level of a name as a directory name: modified UTF-7 unless the location says UTF-8.
    std::string encode(std::string_view level) const;
    // Back; nothing if the directory name cannot be a folder's. Names that are not modified UTF-7 are taken as UTF-8.
    std::optional<std::string> decode(std::string_view directory) const;
    bool is_inbox(std::string_view path) const { return location_.has_inbox && path == "INBOX"; }
    // Removes what a process that died amid create or remove left behind.
    void remove_leftovers(const std::string& directory) const;
    // A name for what is being made or removed, in `directory`.
    static std::string temporary_name(const std::string& directory, std::string_view purpose);

    MailLocation location_;
};

inline constexpr std::size_t kFolderLimit = 100'000;
inline constexpr std::size_t kFolderDepth = 20;
inline constexpr std::size_t kLevelLimit = 200;  // bytes of one level

// Directory names that begin so are Culver's own and no folders.
inline constexpr std::string_view kTemporaryPrefix = "culver.tmp.";

// The rules that all layouts share: empty levels, "~", "/", reserved names, lengths.
Status check_levels(std::string_view path, FolderLayout::Purpose purpose);
std::unexpected<Error> refuse_name(std::string text);
std::unexpected<Error> already_exists(const char* client_text);
std::unexpected<Error> no_such_mailbox();

// rename(2) that refuses to replace anything: AlreadyExists. NotFound if `from` does not exist.
Status rename_exclusively(const std::string& from, const std::string& to);

std::unique_ptr<FolderLayout> make_maildir_layout(MailLocation location);
std::unique_ptr<FolderLayout> make_fs_layout(MailLocation location);
std::unique_ptr<FolderLayout> make_layout(MailLocation location);

}  // namespace culver
