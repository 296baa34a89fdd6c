// The settings inside blocks, and which block may stand in which.
#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib-base/assert.h"
#include "lib-base/nearest-name.h"
#include "lib-config/setting-spec.h"
#include "lib-config/setting-table.h"

namespace culver {

namespace {

using enum SettingType;
using enum Support;

constexpr SettingSpec kService[] = {
    {"chroot", Text, "", Acts, "Directory the processes lock themselves into, relative to base_dir."},
    {"client_limit", Number, "0", Acts, "Connections one process serves at once; 0 = default_client_limit."},
    {"drop_priv_before_exec", Flag, "no", Later, "Drop root before the program is started."},
    {"executable", Text, "", Acts, "Program with its arguments, relative to libexec_dir."},
    {"extra_groups", Text, "", Acts, "Further groups of the processes."},
    {"group", Text, "", Acts, "Group of the processes."},
    {"idle_kill", Time, "0", Acts, "An idle process ends after this time; 0 = default_idle_kill."},
    {"privileged_group", Text, "", Later, "Group that a process may take on for single operations."},
    {"process_limit", Number, "0", Acts, "Processes at most; 0 = default_process_limit."},
    {"process_min_avail", Number, "0", Acts, "Processes kept waiting for new connections."},
    {"protocol", Text, "", Acts, "The service runs only if `protocols` has this one."},
    {"service_count", Number, "0", Acts, "Connections a process takes in its life; 0 = no limit."},
    {"type", Text, "", Acts, "What kind of service it is: login, worker, ..."},
    {"user", Text, "", Acts, "User of the processes; empty = root."},
    {"vsz_limit", Size, "18446744073709551615 B", Acts,
     "Memory a process may take; the default stands for default_vsz_limit."},
};
constexpr SettingSpec kFileListener[] = {
    {"group", Text, "", Acts, "Group of the socket."},
    {"mode", Mode, "0600", Acts,
     "Permissions of the socket; write the leading 0, or the number is decimal. 0 = no socket."},
    {"user", Text, "", Acts, "Owner of the socket; empty = root."},
};
constexpr SettingSpec kInetListener[] = {
    {"address", Text, "", Acts, "Addresses to listen on; empty = the `listen` setting."},
    {"haproxy", Flag, "no", Later, "Connections begin with a HAProxy PROXY header."},
    {"port", Port, "0", Acts, "Port; 0 = no listener."},
    {"reuse_port", Flag, "no", Acts, "Set SO_REUSEPORT on the socket."},
    {"ssl", Flag, "no", Acts, "Connections begin with a TLS handshake."},
};
constexpr SettingSpec kNamespace[] = {
    {"alias_for", Text, "", Later, "Prefix of the namespace that this one is another name of."},
    {"disabled", Flag, "no", Acts, "Ignore this namespace."},
    {"hidden", Flag, "no", Acts, "Do not show the namespace in NAMESPACE."},
    {"ignore_on_failure", Flag, "no", Acts, "Go on without the namespace if its location cannot be opened."},
    {"inbox", Flag, "no", Acts, "INBOX is in this namespace; exactly one has it."},
    {"list", Choice, "yes", Acts, "Show its mailboxes in LIST: always, never, or children with the prefix only.",
     Area::Common, "yes no children"},
    {"location", Text, "", Acts, "Where its mail is; empty = mail_location."},
    {"order", Number, "0", Acts, "Place of the namespace in NAMESPACE; 0 = order of the file."},
    {"prefix", Text, "", Acts, "What mailbox names of this namespace begin with, separator included."},
    {"separator", Text, "", Acts, "Hierarchy separator that clients see; empty = the storage's own."},
    {"subscriptions", Flag, "yes", Acts, "The namespace keeps its own subscriptions."},
    {"type", Choice, "private", Acts, "Whose mail it is.", Area::Common, "private shared public"},
};
constexpr SettingSpec kMailbox[] = {
    {"auto", Choice, "no", Acts, "Create the mailbox when it is missing, and subscribe it.", Area::Common,
     "no create subscribe"},
    {"autoexpunge", Time, "0", Later, "Remove messages older than this."},
    {"autoexpunge_max_mails", Number, "0", Later, "Keep no more messages than this."},
    {"comment", Text, "", Later, "Description of the mailbox."},
    {"driver", Text, "", Later, "Mail format of this mailbox alone."},
    {"special_use", Text, "", Acts,
     "What the mailbox is for (RFC 6154): \\Sent, \\Drafts, \\Trash, \\Junk, \\Archive."},
};
constexpr std::string_view kResults = "return-ok return return-fail continue continue-ok continue-fail";
constexpr SettingSpec kPassDb[] = {
    {"args", Text, "", Acts, "Arguments of the driver, e.g. scheme=SHA512-CRYPT /etc/dovecot/users."},
    {"auth_verbose", Choice, "default", Acts, "auth_verbose for this database alone.", Area::Common, "default yes no"},
    {"default_fields", Text, "", Acts, "Fields that the database may replace: name=value ..."},
    {"deny", Flag, "no", Acts, "Whoever is found here may not log in."},
    {"driver", Text, "", Acts, "Kind of the database: passwd-file, pam, passwd, static, ..."},
    {"master", Flag, "no", Acts, "Its users may log in as others."},
    {"mechanisms", Text, "", Acts, "Use the database for these mechanisms only."},
    {"name", Text, "", Acts, "Name of the database for logs."},
    {"override_fields", Text, "", Acts, "Fields that replace what the database says: name=value ..."},
    {"pass", Flag, "no", Acts, "Ask the next database too (old name of result_success = continue)."},
    {"result_failure", Choice, "continue", Acts, "What follows a wrong password.", Area::Common, kResults},
    {"result_internalfail", Choice, "continue", Acts, "What follows a database that cannot answer.", Area::Common,
     kResults},
    {"result_success", Choice, "return-ok", Acts, "What follows a right password.", Area::Common, kResults},
    {"skip", Choice, "never", Acts, "Skip the database if an earlier one said yes, or no.", Area::Common,
     "never authenticated unauthenticated"},
    {"username_filter", Text, "", Acts, "Ask the database for matching user names only; ! in front excludes."},
};
constexpr SettingSpec kUserDb[] = {
    {"args", Text, "", Acts, "Arguments of the driver, e.g. username_format=%u /etc/dovecot/users."},
    {"auth_verbose", Choice, "default", Acts, "auth_verbose for this database alone.", Area::Common, "default yes no"},
    {"default_fields", Text, "", Acts, "Fields that the database may replace: uid=vmail gid=vmail home=/var/vmail/%u"},
    {"driver", Text, "", Acts, "Kind of the database: passwd-file, passwd, static, prefetch, ..."},
    {"name", Text, "", Acts, "Name of the database for logs."},
    {"override_fields", Text, "", Acts, "Fields that replace what the database says: name=value ..."},
    {"result_failure", Choice, "continue", Acts, "What follows an unknown user.", Area::Common, kResults},
    {"result_internalfail", Choice, "continue", Acts, "What follows a database that cannot answer.", Area::Common,
     kResults},
    {"result_success", Choice, "return-ok", Acts, "What follows a known user.", Area::Common, kResults},
    {"skip", Choice, "never", Acts, "Skip the database if an earlier one found the user, or did not.", Area::Common,
     "never found notfound"},
};
constexpr SettingSpec kMetric[] = {
    {"description", Text, "", Later, "Description for OpenMetrics."},
    {"exporter", Text, "", Later, "event_exporter that gets the events."},
    {"exporter_include", Text, "name hostname timestamps categories fields", Later, "What is exported of an event."},
    {"fields", Text, "", Later, "Fields whose values are counted."},
    {"filter", Text, "", Later, "Which events count."},
    {"group_by", Text, "", Later, "Fields that split the metric."},
    {"metric_name", Text, "", Later, "Name of the metric; the label of the block."},
};
constexpr SettingSpec kEventExporter[] = {
    {"format", Text, "", Later, "Format of exported events: json, tab-text, none."},
    {"format_args", Text, "", Later, "Arguments of the format."},
    {"name", Text, "", Later, "Name of the exporter; the label of the block."},
    {"transport", Text, "", Later, "How events are sent: log, http-post, drop."},
    {"transport_args", Text, "", Later, "Arguments of the transport."},
    {"transport_timeout", TimeMs, "250 ms", Later, "Longest time to send."},
};

using enum BlockKind;
constexpr BlockKind kRootChildren[] = {Dict, EventExporter, Metric, Namespace, PassDb, Plugin, Service, UserDb};
constexpr BlockKind kServiceChildren[] = {FifoListener, InetListener, UnixListener};
constexpr BlockKind kNamespaceChildren[] = {Mailbox};

std::array<BlockSpec, kBlockKinds> make_blocks() {
    return {{
        {Root, "", root_settings(), kRootChildren},
        {Service, "service", kService, kServiceChildren},
        {UnixListener, "unix_listener", kFileListener, {}},
        {FifoListener, "fifo_listener", kFileListener, {}},
        {InetListener, "inet_listener", kInetListener, {}},
        {Namespace, "namespace", kNamespace, kNamespaceChildren},
        {Mailbox, "mailbox", kMailbox, {}},
        {PassDb, "passdb", kPassDb, {}},
        {UserDb, "userdb", kUserDb, {}},
        {Plugin, "plugin", {}, {}, true},
        {Dict, "dict", {}, {}, true},
        {Metric, "metric", kMetric, {}},
        {EventExporter, "event_exporter", kEventExporter, {}},
    }};
}

using Index = std::unordered_map<std::string_view, std::uint16_t>;

std::array<Index, kBlockKinds> make_indexes() {
    std::array<Index, kBlockKinds> indexes;
    for (std::size_t kind = 0; kind < kBlockKinds; ++kind) {
        const auto& settings = block_spec(static_cast<BlockKind>(kind)).settings;
        for (std::size_t row = 0; row < settings.size(); ++row)
            indexes[kind].emplace(settings[row].name, static_cast<std::uint16_t>(row));
    }
    return indexes;
}

}  // namespace

const BlockSpec& block_spec(BlockKind kind) {
    static const std::array<BlockSpec, kBlockKinds> blocks = make_blocks();
    return blocks[static_cast<std::size_t>(kind)];
}

std::optional<std::uint16_t> find_setting(BlockKind kind, std::string_view name) {
    static const std::array<Index, kBlockKinds> indexes = make_indexes();
    const Index& index = indexes[static_cast<std::size_t>(kind)];
    auto found = index.find(name);
    if (found == index.end()) return std::nullopt;
    return found->second;
}

std::optional<BlockKind> find_child_block(BlockKind parent, std::string_view name) {
    for (BlockKind child : block_spec(parent).children)
        if (block_spec(child).name == name) return child;
    return std::nullopt;
}

std::string_view nearest_setting(BlockKind kind, std::string_view wrong) {
    std::vector<std::string_view> names;
    for (const auto& setting : block_spec(kind).settings) names.push_back(setting.name);
    for (BlockKind child : block_spec(kind).children) names.push_back(block_spec(child).name);
    return nearest_name(wrong, names);
}

}  // namespace culver
