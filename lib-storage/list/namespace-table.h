// The namespaces of one user: which part of the name space lies where (docs/namespaces-and-locations.md).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-storage/list/folder-layout.h"
#include "lib-storage/mail-user.h"

namespace culver {

struct MountedNamespace {
    Namespace info;
    std::string list = "yes";  // yes, no, children
    std::vector<MailboxSettings> mailboxes;
    std::unique_ptr<FolderLayout> layout;
    const MountedNamespace* subscriptions = nullptr;  // the namespace whose file holds the subscriptions of this one

    // The path of a name that begins with the prefix; nothing if it does not. The prefix itself gives "".
    std::optional<FolderPath> path_of(std::string_view name) const;
    std::string name_of(std::string_view path) const;
    // The mailbox { } block of a path: the one with its name, or the first whose wildcards match. Null if there is
    // none.
    const MailboxSettings* settings_of(std::string_view path) const;
    bool is_autocreated(std::string_view path) const;
};

// What a name means: where it lies. An empty path is the namespace's root, which is no mailbox.
struct MailboxTarget {
    const MountedNamespace* mount = nullptr;
    FolderPath path;
    bool is_inbox() const { return mount->info.inbox && path == "INBOX"; }
};

class NamespaceTable {
public:
    // Errors: InvalidArgument "namespace configuration error: ...", and those of the locations.
    static Result<NamespaceTable> make(const MailUserIdentity& identity);

    // Null mount if no namespace has that prefix.
    MailboxTarget resolve(std::string_view name) const;
    const std::vector<std::unique_ptr<MountedNamespace>>& mounts() const { return mounts_; }
    const MountedNamespace& inbox() const { return *inbox_; }

private:
    std::vector<std::unique_ptr<MountedNamespace>> mounts_;
    const MountedNamespace* inbox_ = nullptr;
};

}  // namespace culver
