#include "lib-storage/list/mailbox-listing.h"

#include <algorithm>
#include <map>
#include <set>

#include "lib-storage/list/list-pattern.h"
#include "lib-storage/list/subscriptions.h"

namespace culver {

namespace {

struct Node {
    std::string name;
    char separator = '.';
    bool exists = false;        // has a directory, or will be made when it is opened, or has children that exist
    bool is_mailbox = false;    // can be selected
    bool is_on_disk = false;    // not one that would be made when it is opened
    bool is_directory = false;  // a directory that is no mailbox, or the root of a namespace
    bool has_children = false, subscribed = false, child_subscribed = false;
    bool wanted_for_child = false;  // a subscribed name below it does not match the patterns itself
    std::vector<std::string> special_use;
};

constexpr std::size_t kPatternLimit = 100;

// Sorts INBOX and its children before all others, and children right behind their parents.
std::string sort_key(std::string_view name, char separator) {
    std::string key(name);
    std::replace(key.begin(), key.end(), separator, kLevelSeparator);
    if (key == "INBOX" || is_below(key, "INBOX")) key.insert(key.begin(), '\x01');
    return key;
}

class Listing {
public:
    Listing(const NamespaceTable& table, const ListQuery& query) : table_(table), query_(query) {
        const char separator = table.inbox().info.separator;
        for (const std::string& pattern : query.patterns) patterns_.emplace_back(query.reference + pattern, separator);
    }

    Result<std::vector<ListEntry>> run() {
        std::set<const MountedNamespace*> listed;
        for (const auto& mount : table_.mounts())
            if (is_listed(*mount)) listed.insert(mount.get());
        for (const MountedNamespace* mount : listed) TRY(add_folders(*mount));
        if (query_.select_subscribed || query_.return_subscribed) TRY(add_subscriptions(listed));
        add_parents();
        return select();
    }

private:
    // list = no hides a namespace unless the client asks for names below its prefix.
    bool is_listed(const MountedNamespace& mount) const {
        if (mount.info.listed) return true;
        return std::any_of(patterns_.begin(), patterns_.end(), [&](const ListPattern& pattern) {
            return !mount.info.prefix.empty() && pattern.literal_prefix().starts_with(mount.info.prefix);
        });
    }

    Node& node(const MountedNamespace& mount, const std::string& name) {
        Node& found = nodes_[sort_key(name, mount.info.separator)];
        if (found.name.empty()) {
            found.name = name;
            found.separator = mount.info.separator;
        }
        return found;
    }

    void add_mailbox(const MountedNamespace& mount, std::string_view path, bool is_mailbox) {
        Node& added = node(mount, mount.name_of(path));
        added.exists = true;
        (is_mailbox ? added.is_mailbox : added.is_directory) = true;
    }

    Status add_folders(const MountedNamespace& mount) {
        auto folders = mount.layout->scan();
        if (!folders && folders.error().code != ErrorCode::NotFound) return std::unexpected(std::move(folders).error());
        const char separator = mount.info.separator;
        if (folders) {
            for (const FoundFolder& folder : *folders) {
                // A level that holds the separator would be taken apart again, into a name of another folder.
                if (folder.path.find(separator) != std::string::npos) continue;
                add_mailbox(mount, folder.path, folder.is_mailbox);
                node(mount, mount.name_of(folder.path)).is_on_disk = true;
            }
        }
        if (mount.info.inbox) {
            add_mailbox(mount, "INBOX", true);
            node(mount, "INBOX").is_on_disk = true;
        }
        for (const MailboxSettings& box : mount.mailboxes) {
            const auto path = mount.path_of(mount.info.prefix + box.name);
            if (!path || box.name.find_first_of("*?%") != std::string::npos) continue;
            if (box.autocreate == "create" || box.autocreate == "subscribe") add_mailbox(mount, *path, true);
            if (box.autocreate == "subscribe") node(mount, mount.name_of(*path)).subscribed = true;
            for (const std::string_view use : split_words(box.special_use))
                special_use_[sort_key(mount.name_of(*path), separator)].emplace_back(use);
        }
        add_root(mount, !folders || folders->empty());
        return {};
    }

    // The prefix without its separator is a name too; list = children shows it only when something lies below.
    void add_root(const MountedNamespace& mount, bool is_empty) {
        const std::string& prefix = mount.info.prefix;
        if (prefix.size() < 2 || !mount.info.listed || (mount.list == "children" && is_empty)) return;
        if (mount.info.inbox && equals_ignore_case(prefix.substr(0, prefix.size() - 1), "INBOX")) return;
        Node& root = node(mount, prefix.substr(0, prefix.size() - 1));
        root.exists = root.is_directory = true;
    }

    Status add_subscriptions(const std::set<const MountedNamespace*>& listed) {
        std::set<const MountedNamespace*> files;
        for (const MountedNamespace* mount : listed)
            if (mount->subscriptions) files.insert(mount->subscriptions);
        for (const MountedNamespace* owner : files) {
            const MailLocation& location = owner->layout->location();
            const auto names = TRY(
                read_subscriptions(location.control_root + "/" + location.subscriptions_file, location.separator()));
            for (const FolderPath& path : names) {
                if (path.find(owner->info.separator) != std::string::npos) continue;
                const MailboxTarget target = table_.resolve(owner->name_of(path));
                if (!target.mount || target.mount->subscriptions != owner || !listed.contains(target.mount)) continue;
                if (!target.path.empty()) node(*target.mount, target.mount->name_of(target.path)).subscribed = true;
            }
        }
        return {};
    }

    // Names that exist only because something lies below them, and what a name must know of those below.
    void add_parents() {
        std::vector<std::string> keys;
        for (const auto& [key, added] : nodes_) keys.push_back(key);
        for (const std::string& key : keys) {
            const Node& child = nodes_[key];
            const bool exists = child.exists, subscribed = child.subscribed;
            const char separator = child.separator;
            const bool hides = subscribed && !matches(child.name);
            std::string name = child.name;
            for (std::string_view above = parent_of(key); !above.empty(); above = parent_of(above)) {
                name.resize(name.rfind(separator));
                Node& parent = nodes_[std::string(above)];
                if (parent.name.empty()) {
                    parent.name = name;
                    parent.separator = separator;
                }
                parent.exists |= exists;
                parent.has_children |= exists;
                parent.child_subscribed |= subscribed;
                parent.wanted_for_child |= hides;
            }
        }
    }

    bool matches(const std::string& name) const {
        return std::any_of(patterns_.begin(), patterns_.end(),
                           [&](const ListPattern& pattern) { return pattern.matches(name); });
    }

    std::vector<ListEntry> select() {
        std::vector<ListEntry> entries;
        for (auto& [key, found] : nodes_) {
            const auto uses = special_use_.find(key);
            const bool is_special = uses != special_use_.end() && found.exists;
            bool is_selected = found.exists;
            if (query_.select_subscribed)
                is_selected = found.subscribed || (query_.select_recursive_match && found.wanted_for_child);
            if (query_.select_special_use) is_selected = is_selected && is_special;
            if (!is_selected || !matches(found.name)) continue;
            ListEntry entry;
            entry.name = found.name;
            entry.separator = found.separator;
            entry.noselect = !found.is_mailbox && found.is_directory;
            entry.nonexistent = !found.is_mailbox && !found.is_directory;
            entry.unmade = found.is_mailbox && !found.is_on_disk;
            entry.has_children = found.has_children;
            entry.subscribed = found.subscribed && (query_.select_subscribed || query_.return_subscribed);
            entry.child_subscribed = query_.select_recursive_match && found.child_subscribed;
            if (is_special) entry.special_use = uses->second;
            entries.push_back(std::move(entry));
        }
        return entries;
    }

    const NamespaceTable& table_;
    const ListQuery& query_;
    std::vector<ListPattern> patterns_;
    std::map<std::string, Node> nodes_;
    std::map<std::string, std::vector<std::string>> special_use_;
};

// LIST "" "": the separator, and the root of the names that the reference is in.
ListEntry root_entry(const NamespaceTable& table, const std::string& reference) {
    ListEntry entry;
    entry.separator = table.inbox().info.separator;
    entry.noselect = true;
    for (const auto& mount : table.mounts()) {
        const std::string& prefix = mount->info.prefix;
        if (prefix.empty() || prefix.size() <= entry.name.size() || !reference.starts_with(prefix)) continue;
        entry.name = prefix;
        entry.separator = mount->info.separator;
    }
    if (entry.name.empty() && reference.starts_with(entry.separator)) entry.name = std::string(1, entry.separator);
    return entry;
}

}  // namespace

Result<std::vector<ListEntry>> list_mailboxes(const NamespaceTable& table, const ListQuery& query) {
    if (query.patterns.size() == 1 && query.patterns[0].empty()) return std::vector{root_entry(table, query.reference)};
    if (query.patterns.size() > kPatternLimit)
        return fail(Error{ErrorCode::Limit, "Too many patterns", "LIST with too many patterns"});
    return Listing(table, query).run();
}

}  // namespace culver
