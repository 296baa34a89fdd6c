#include "lib-storage/list/namespace-table.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-storage/list/list-pattern.h"
#include "lib-storage/user-variables.h"

namespace culver {

namespace {

std::unexpected<Error> configuration_error(std::string text) {
    return fail(ErrorCode::InvalidArgument, "namespace configuration error: " + std::move(text));
}

Result<MailLocation> locate(const MailUserIdentity& identity, const std::string& own_location) {
    const std::string& text = own_location.empty() ? identity.settings->string("mail_location") : own_location;
    if (text.empty()) return detect_mail_location(identity.home);
    return parse_mail_location(TRY(expand_variables(text, variables_of(identity).lookup())), identity.home);
}

// The implicit namespace of a configuration that has none.
NamespaceSettings default_namespace() {
    NamespaceSettings settings;
    settings.inbox = true;
    return settings;
}

Result<std::unique_ptr<MountedNamespace>> mount_one(const MailUserIdentity& identity,
                                                    const NamespaceSettings& settings) {
    auto mount = std::make_unique<MountedNamespace>();
    MailLocation location = TRY(locate(identity, settings.location));
    location.has_inbox = settings.inbox;
    UserVariables variables;
    variables.user = identity.username;
    variables.home = identity.home;
    mount->info.name = settings.name;
    mount->info.prefix = TRY(expand_variables(settings.prefix, variables.lookup()));
    if (settings.separator.size() > 1)
        return configuration_error(fmt::format("separator=\"{}\" of namespace {} is longer than one character",
                                               settings.separator, settings.name));
    mount->info.separator = settings.separator.empty() ? location.separator() : settings.separator[0];
    mount->info.inbox = settings.inbox;
    mount->info.hidden = settings.hidden;
    mount->info.listed = settings.list != "no";
    mount->info.subscriptions = settings.subscriptions;
    mount->info.type = settings.type;
    mount->list = settings.list;
    mount->mailboxes = settings.mailboxes;
    mount->layout = make_layout(std::move(location));
    return mount;
}

Status check_mounts(const std::vector<std::unique_ptr<MountedNamespace>>& mounts) {
    std::size_t inboxes = 0;
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        const Namespace& info = mounts[i]->info;
        inboxes += info.inbox;
        for (std::size_t k = 0; k < i; ++k)
            if (mounts[k]->info.prefix == info.prefix)
                return configuration_error(fmt::format("Duplicate namespace prefix: \"{}\"", info.prefix));
        if (info.listed && !info.prefix.empty() && !info.prefix.ends_with(info.separator))
            return configuration_error(fmt::format("list=yes requires prefix={} to end with separator", info.prefix));
    }
    if (inboxes == 0) return configuration_error("inbox=yes namespace missing");
    if (inboxes > 1) return configuration_error("There can be only one namespace with inbox=yes");
    return {};
}

// The namespace that keeps the subscriptions of `mount`: itself, or the nearest one around it that has a file.
const MountedNamespace* subscriptions_owner(const MountedNamespace& mount,
                                            const std::vector<std::unique_ptr<MountedNamespace>>& mounts) {
    if (mount.info.subscriptions) return &mount;
    const MountedNamespace* best = nullptr;
    for (const auto& other : mounts) {
        if (!other->info.subscriptions || !mount.info.prefix.starts_with(other->info.prefix)) continue;
        if (!best || other->info.prefix.size() > best->info.prefix.size()) best = other.get();
    }
    return best;
}

}  // namespace

std::optional<FolderPath> MountedNamespace::path_of(std::string_view name) const {
    const std::string_view prefix = info.prefix;
    // "INBOX." as a prefix has no more case than INBOX itself.
    const bool is_inbox_prefix = prefix.size() == 6 && starts_with_ignore_case(prefix, "INBOX");
    const auto begins = [&](std::string_view with) {
        return is_inbox_prefix ? starts_with_ignore_case(name, with) : name.starts_with(with);
    };
    if (!prefix.empty() && name.size() + 1 == prefix.size() && begins(prefix.substr(0, name.size())))
        return FolderPath();
    if (!begins(prefix)) return std::nullopt;
    FolderPath path(name.substr(prefix.size()));
    std::replace(path.begin(), path.end(), info.separator, kLevelSeparator);
    if (info.inbox) {
        const std::string_view first = std::string_view(path).substr(0, path.find(kLevelSeparator));
        if (equals_ignore_case(first, "INBOX")) path.replace(0, first.size(), "INBOX");
    }
    return path;
}

std::string MountedNamespace::name_of(std::string_view path) const {
    if (info.inbox && path == "INBOX") return "INBOX";
    std::string name(path);
    std::replace(name.begin(), name.end(), kLevelSeparator, info.separator);
    return info.prefix + name;
}

const MailboxSettings* MountedNamespace::settings_of(std::string_view path) const {
    std::string name(path);
    std::replace(name.begin(), name.end(), kLevelSeparator, info.separator);
    const MailboxSettings* by_wildcard = nullptr;
    for (const MailboxSettings& box : mailboxes) {
        if (box.name == name) return &box;
        if (!by_wildcard && box.name.find_first_of("*?%") != std::string::npos &&
            ListPattern(box.name, info.separator).matches(name))
            by_wildcard = &box;
    }
    return by_wildcard;
}

bool MountedNamespace::is_autocreated(std::string_view path) const {
    const MailboxSettings* box = settings_of(path);
    return box && (box->autocreate == "create" || box->autocreate == "subscribe");
}

Result<NamespaceTable> NamespaceTable::make(const MailUserIdentity& identity) {
    NamespaceTable table;
    std::vector<NamespaceSettings> all = identity.settings->namespaces();
    std::erase_if(all, [](const NamespaceSettings& one) { return one.disabled; });
    if (all.empty()) all.push_back(default_namespace());
    for (const NamespaceSettings& settings : all) {
        if (settings.type == "shared" && settings.prefix.find("%%") != std::string::npos) {
            log_debug("Namespace " + settings.name + ": mailboxes shared by other users are not supported, skipped");
            continue;
        }
        auto mount = mount_one(identity, settings);
        if (!mount && settings.ignore_on_failure) {
            log_debug("Namespace " + settings.name + " skipped: " + mount.error().detail);
            continue;
        }
        table.mounts_.push_back(TRY(std::move(mount)));
    }
    TRY(check_mounts(table.mounts_));
    for (const auto& mount : table.mounts_) {
        mount->subscriptions = subscriptions_owner(*mount, table.mounts_);
        if (mount->info.inbox) table.inbox_ = mount.get();
    }
    return table;
}

MailboxTarget NamespaceTable::resolve(std::string_view name) const {
    if (equals_ignore_case(name, "INBOX")) return {inbox_, "INBOX"};
    MailboxTarget best;
    for (const auto& mount : mounts_) {
        if (best.mount && mount->info.prefix.size() <= best.mount->info.prefix.size()) continue;
        auto path = mount->path_of(name);
        if (path) best = {mount.get(), std::move(*path)};
    }
    return best;
}

}  // namespace culver
