#include "lib-storage/mail-user.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-storage/list/directory-tree.h"
#include "lib-storage/list/list-lock.h"
#include "lib-storage/list/mailbox-listing.h"
#include "lib-storage/list/namespace-table.h"
#include "lib-storage/list/subscriptions.h"

namespace culver {

namespace {

using Purpose = FolderLayout::Purpose;
using Presence = FolderLayout::Presence;

constexpr std::size_t kMailboxLimit = 10'000;  // of one namespace; docs/limits.md

std::unexpected<Error> refuse(ErrorCode code, std::string text) {
    Error error{code, text, text};
    return fail(std::move(error));
}

std::unexpected<Error> missing(const std::string& name) {
    return refuse(ErrorCode::NotFound, "Mailbox doesn't exist: " + name);
}

MailboxOptions options_from(const MailUserIdentity& identity) {
    const Settings& settings = *identity.settings;
    MailboxOptions options;
    const std::string& fsync = settings.string("mail_fsync");
    if (fsync == "always") options.fsync = MailboxOptions::Fsync::Always;
    if (fsync == "never") options.fsync = MailboxOptions::Fsync::Never;
    options.save_crlf = settings.boolean("mail_save_crlf");
    options.copy_with_hardlinks = settings.boolean("maildir_copy_with_hardlinks");
    options.keyword_length = static_cast<unsigned>(settings.number("mail_max_keyword_length"));
    options.hostname = settings.string("hostname");
    if (options.hostname.empty()) {
        char name[256] = "localhost";
        (void)::gethostname(name, sizeof name - 1);
        options.hostname = name;
    }
    options.user = identity.username;
    return options;
}

class MailUserImpl final : public MailUser {
public:
    MailUserImpl(const MailUserIdentity& identity, NamespaceTable table, MailboxCache& cache)
        : username_(identity.username), options_(options_from(identity)), table_(std::move(table)), cache_(cache) {
        for (const auto& mount : table_.mounts()) namespaces_.push_back(mount->info);
    }

    const std::string& username() const override { return username_; }
    const std::vector<Namespace>& namespaces() const override { return namespaces_; }
    MailboxCache& cache() override { return cache_; }

    Result<std::vector<ListEntry>> list(const ListQuery& query) override { return list_mailboxes(table_, query); }

    Result<std::shared_ptr<Mailbox>> open_mailbox(const MailboxName& name) override {
        return open_for_delivery(name, Create::No);
    }

    Result<std::shared_ptr<Mailbox>> open_for_delivery(const MailboxName& name, Create create_mode) override {
        const MailboxTarget target = TRY(find(name, Purpose::Use));
        if (target.path.empty()) return missing(name.utf8());
        const FolderLayout& layout = *target.mount->layout;
        if (layout.presence(target.path) != Presence::Mailbox) {
            const bool is_wanted =
                create_mode != Create::No || target.is_inbox() || target.mount->is_autocreated(target.path);
            if (!is_wanted) return missing(name.utf8());
            Status made = make(target);
            // Another process may have been quicker.
            if (!made && made.error().code != ErrorCode::AlreadyExists) return std::unexpected(std::move(made).error());
            const MailboxSettings* box = target.mount->settings_of(target.path);
            if (create_mode == Create::AndSubscribe || (box && box->autocreate == "subscribe"))
                TRY(write_subscription(target, true));
        }
        return open_at(target);
    }

    Result<MailboxStatus> status(const MailboxName& name) override { return TRY(open_mailbox(name))->status(); }

    Status make_roots() override {
        for (const auto& mount : table_.mounts()) {
            const MailLocation& location = mount->layout->location();
            if (mount->info.type == "private") TRY(make_directories(location.mail_root, modes_of(location.mail_root)));
        }
        return {};
    }

    Status create(const MailboxName& name, std::string_view) override {
        const char separator = separator_for(name);
        const bool is_parent_only = name.utf8().size() > 1 && name.utf8().ends_with(separator);
        const MailboxName wanted =
            is_parent_only ? MailboxName::from_disk(name.utf8().substr(0, name.utf8().size() - 1)) : name;
        const MailboxTarget target = TRY(find(wanted, Purpose::Create));
        if (target.path.empty() || target.is_inbox()) return refuse(ErrorCode::AlreadyExists, "Mailbox already exists");
        if (const auto folders = target.mount->layout->scan(); folders && folders->size() >= kMailboxLimit)
            return refuse(ErrorCode::Limit, fmt::format("Too many mailboxes (limit {})", kMailboxLimit));
        if (is_parent_only) {
            const ListLock lock = TRY(lock_list(*target.mount));
            TRY(target.mount->layout->create_directory(target.path));
            if (target.mount->layout->presence(target.path) != Presence::Mailbox) return {};
        } else {
            TRY(make(target));
        }
        // Gives the mailbox its UIDVALIDITY, so that it is the same for whoever opens it first.
        TRY(open_at(target));
        return {};
    }

    Status remove(const MailboxName& name) override {
        const MailboxTarget target = TRY(find(name, Purpose::Use));
        if (target.path.empty()) return refuse(ErrorCode::InvalidArgument, "Storage root can't be deleted");
        if (target.is_inbox()) return refuse(ErrorCode::Unsupported, "INBOX can't be deleted.");
        const FolderLayout& layout = *target.mount->layout;
        if (layout.presence(target.path) == Presence::Missing)
            // One that would be made when it is opened is listed, so it can be deleted; there is nothing to do.
            return target.mount->is_autocreated(target.path) ? Status() : missing(name.utf8());
        const ListLock lock = TRY(lock_list(*target.mount));
        const MailboxPaths paths = layout.paths(target.path);
        const Status removed = layout.remove(target.path);
        if (!removed && removed.error().code == ErrorCode::NotFound) return missing(name.utf8());
        if (removed) cache_.forget(paths);
        return removed;
    }

    Status rename(const MailboxName& from, const MailboxName& to) override {
        const MailboxTarget source = TRY(find(from, Purpose::Use));
        if (source.path.empty()) return missing(from.utf8());
        if (source.is_inbox()) return refuse(ErrorCode::InvalidArgument, "Renaming INBOX isn't supported.");
        const MailboxTarget target = TRY(find(to, Purpose::Create));
        if (source.mount != target.mount)
            return refuse(ErrorCode::InvalidArgument, "Can't rename mailboxes across specified storages.");
        if (source.path == target.path) return refuse(ErrorCode::AlreadyExists, "Can't rename mailbox to itself.");
        if (is_below(target.path, source.path))
            return refuse(ErrorCode::Unsupported, "Can't rename mailbox under its own child.");
        if (target.path.empty() || target.is_inbox())
            return refuse(ErrorCode::AlreadyExists, "Target mailbox already exists");
        return rename_folders(*source.mount, source.path, target.path, from);
    }

    Status subscribe(const MailboxName& name, bool subscribed) override {
        if (subscribed && !exists(name)) return missing(name.utf8());
        return subscribe_any(name, subscribed);
    }

    Status subscribe_any(const MailboxName& name, bool subscribed) override {
        const MailboxTarget target = table_.resolve(name.utf8());
        if (!target.mount) return subscribed ? Status(missing(name.utf8())) : Status();
        // Rubbish in the file can be unsubscribed from, but gets in no more.
        if (subscribed && !target.path.empty())
            TRY(target.mount->layout->check(target.path, target.mount->info.separator, Purpose::Use));
        return write_subscription(target, subscribed);
    }

    bool exists(const MailboxName& name) override {
        const auto target = find(name, Purpose::Use);
        if (!target || target->path.empty()) return false;
        return target->is_inbox() || target->mount->is_autocreated(target->path) ||
               target->mount->layout->presence(target->path) != Presence::Missing;
    }

    Result<MailboxPaths> paths(const MailboxName& name) override {
        const MailboxTarget target = TRY(find(name, Purpose::Use));
        if (target.path.empty()) return missing(name.utf8());
        return target.mount->layout->paths(target.path);
    }

    char separator_for(const MailboxName& name) const override {
        const MailboxTarget target = table_.resolve(name.utf8());
        return (target.mount ? *target.mount : table_.inbox()).info.separator;
    }

private:
    // The place of a name that the storage can hold.
    Result<MailboxTarget> find(const MailboxName& name, Purpose purpose) const {
        MailboxTarget target = table_.resolve(name.utf8());
        if (!target.mount) return no_namespace(name, purpose);
        if (!target.path.empty()) TRY(target.mount->layout->check(target.path, target.mount->info.separator, purpose));
        return target;
    }

    std::unexpected<Error> no_namespace(const MailboxName& name, Purpose purpose) const {
        const std::string& prefix = table_.inbox().info.prefix;
        if (purpose == Purpose::Use) return missing(name.utf8());
        return refuse(ErrorCode::InvalidArgument, fmt::format("Client tried to access nonexistent namespace. "
                                                              "(Mailbox name should probably be prefixed with: {})",
                                                              prefix));
    }

    Result<ListLock> lock_list(const MountedNamespace& mount) const {
        const MailLocation& location = mount.layout->location();
        const TreeModes modes = modes_of(location.mail_root);
        TRY(make_directories(location.control_root, modes));
        return ListLock::acquire(location.control_root, modes);
    }

    // Makes the directories of a mailbox that is missing.
    Status make(const MailboxTarget& target) {
        const FolderLayout& layout = *target.mount->layout;
        const MailLocation& location = layout.location();
        const TreeModes modes = modes_of(location.mail_root);
        TRY(make_directories(location.mail_root, modes));
        const ListLock lock = TRY(lock_list(*target.mount));
        if (!target.is_inbox()) return layout.create(target.path);
        TRY(make_directories(location.inbox, modes));
        for (const char* name : {"/tmp", "/new", "/cur"})
            if (kind_of(location.inbox + name) == EntryKind::Missing) TRY(make_directory(location.inbox + name, modes));
        TRY(sync_directory(location.inbox));
        return sync_directory(directory_part(location.inbox));
    }

    Result<std::shared_ptr<Mailbox>> open_at(const MailboxTarget& target) {
        const MailLocation& location = target.mount->layout->location();
        const MailboxPaths paths = target.mount->layout->paths(target.path);
        const TreeModes modes = modes_of(location.mail_root);
        for (const std::string* directory : {&paths.root_control, &paths.control, &paths.index}) {
            if (directory->empty() || *directory == paths.mail) continue;
            // On a disk that cannot be written the mailbox is opened for reading; opening it says so.
            if (const Status made = make_directories(*directory, modes); !made) log_debug(made.error().detail);
        }
        MailboxOptions options = options_;
        options.file_mode = modes.file;
        options.directory_mode = modes.directory;
        return cache_.open(paths, options);
    }

    Status rename_folders(const MountedNamespace& mount, const FolderPath& from, const FolderPath& to,
                          const MailboxName& from_name) {
        const FolderLayout& layout = *mount.layout;
        auto scanned = layout.scan();
        if (!scanned && scanned.error().code == ErrorCode::NotFound) return missing(from_name.utf8());
        TRY(std::move(scanned));
        const ListLock lock = TRY(lock_list(mount));
        const auto folders = TRY(layout.scan());
        std::vector<MailboxPaths> moved;
        for (const FoundFolder& folder : folders)
            if (folder.path == from || is_below(folder.path, from)) moved.push_back(layout.paths(folder.path));
        if (moved.empty()) return missing(from_name.utf8());
        // What waits in memory must be in the files before they move, and nobody may write them under the old name.
        cache_.flush();
        TRY(layout.rename(from, to, folders));
        for (const MailboxPaths& paths : moved) cache_.forget(paths);
        return {};
    }

    Status write_subscription(const MailboxTarget& target, bool subscribed) {
        const MountedNamespace* owner = target.mount->subscriptions;
        if (!owner) return refuse(ErrorCode::Unsupported, "Subscriptions not supported");
        const auto path = owner->path_of(target.mount->name_of(target.path));
        if (!path || path->empty()) return missing(target.mount->name_of(target.path));
        const MailLocation& location = owner->layout->location();
        const std::string file = location.control_root + "/" + location.subscriptions_file;
        const TreeModes modes = modes_of(location.mail_root);
        const ListLock lock = TRY(lock_list(*owner));
        auto names = TRY(read_subscriptions(file, location.separator()));
        if (subscribed ? !names.insert(*path).second : names.erase(*path) == 0) return {};
        return write_subscriptions(file, names, modes);
    }

    std::string username_;
    MailboxOptions options_;
    NamespaceTable table_;
    std::vector<Namespace> namespaces_;
    MailboxCache& cache_;
};

}  // namespace

Result<std::unique_ptr<MailUser>> MailUser::open(const MailUserIdentity& identity, MailboxCache& cache) {
    NamespaceTable table = TRY(NamespaceTable::make(identity));
    return std::make_unique<MailUserImpl>(identity, std::move(table), cache);
}

}  // namespace culver
