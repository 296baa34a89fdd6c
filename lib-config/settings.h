// Settings: what a configuration means once it is read. Immutable; shared between threads freely.
//
// A Settings object is the whole configuration with every filter block; `for_filter` gives the view of one connection
// or protocol. Values of scalars are looked up by their Dovecot names and are already checked against their type, so a
// getter cannot fail; asking for a name that lib-config/setting-table.cpp does not declare, or with the wrong type, is
// a bug (ASSERT). %variables in values are left as they stand; lib-config/variables.h expands them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-net/ip-address.h"

namespace culver::config {
enum class Secrets;
}

namespace culver {

// "file:line" of the setting that decided a value; empty file = built-in default.
struct SettingOrigin {
    std::string file;
    unsigned line = 0;
    bool operator==(const SettingOrigin&) const = default;
    std::string to_string() const;  // "/etc/dovecot/dovecot.conf:12" or "default"
};

struct PassDbSettings {
    std::string name, driver, args, default_fields, override_fields, mechanisms, username_filter;
    std::string skip = "never";  // never, authenticated, unauthenticated
    std::string result_success = "return-ok", result_failure = "continue", result_internalfail = "continue";
    bool deny = false, pass = false, master = false;
    std::string auth_verbose = "default";  // default, yes, no
    SettingOrigin origin;
    bool operator==(const PassDbSettings&) const = default;
};

struct UserDbSettings {
    std::string name, driver, args, default_fields, override_fields;
    std::string skip = "never";  // never, found, notfound
    std::string result_success = "return-ok", result_failure = "continue", result_internalfail = "continue";
    std::string auth_verbose = "default";
    std::uint32_t first_valid_uid = 0, last_valid_uid = 0;  // the settings of that name: whom userdb passwd lists
    SettingOrigin origin;
    bool operator==(const UserDbSettings&) const = default;
};

struct MailboxSettings {
    std::string name;         // as written, UTF-8, relative to its namespace; may have wildcards
    std::string autocreate;   // no, create, subscribe
    std::string special_use;  // "\Sent \Archive", blank-separated
    std::string comment, driver;
};

struct NamespaceSettings {
    std::string name;
    std::string type = "private";  // private, shared, public
    std::string separator;         // empty = the storage's own
    std::string prefix, location;  // location empty = mail_location
    std::string alias_for;
    std::string list = "yes";  // yes, no, children
    bool inbox = false, hidden = false, subscriptions = true, ignore_on_failure = false, disabled = false;
    std::uint32_t order = 0;
    std::vector<MailboxSettings> mailboxes;
    SettingOrigin origin;
};

enum class ListenerKind { Unix, Fifo, Inet };

struct ListenerSettings {
    ListenerKind kind = ListenerKind::Unix;
    std::string name;         // unix and fifo: path, relative to base_dir unless absolute; inet: its label
    unsigned mode = 0600;     // unix, fifo; 0 = disabled
    std::string user, group;  // unix, fifo; names or numbers, $default_* resolved; empty = owner of the process
    std::string address;      // inet: as written, empty = the `listen` setting
    std::uint16_t port = 0;   // inet; 0 = disabled
    bool ssl = false, reuse_port = false, haproxy = false;
    SettingOrigin origin;
};

struct ServiceSettings {
    std::string name, protocol, type, executable, user, group, privileged_group, extra_groups, chroot;
    bool drop_priv_before_exec = false;
    std::uint32_t process_min_avail = 0;
    std::uint32_t process_limit = 0;  // the getters below resolve 0 to default_process_limit and so on
    std::uint32_t client_limit = 0;
    std::uint32_t service_count = 0;
    std::uint64_t vsz_limit = 0;  // bytes
    std::chrono::seconds idle_kill{0};
    std::vector<ListenerSettings> listeners;
    SettingOrigin origin;
};

// What a view is asked for; empty fields match only settings outside such a filter.
struct SettingFilter {
    std::string protocol;  // imap, pop3, lmtp, lda, doveadm, ...
    std::string local_name;
    std::optional<IpAddress> local, remote;
};

class Settings : public std::enable_shared_from_this<Settings> {
public:
    // An opaque form for handing settings to another process (master to services); reading it back loses nothing.
    std::string serialize() const;
    static Result<std::shared_ptr<const Settings>> deserialize(std::string_view bytes);

    // The same configuration as seen under `filter`; cheap when no filter block matches (returns this).
    std::shared_ptr<const Settings> for_filter(const SettingFilter& filter) const;
    // A copy with some scalars replaced, e.g. by userdb fields ("mail" -> mail_location) or -o options. Names may be
    // setting paths ("plugin/quota", "namespace/inbox/separator"). InvalidArgument for an unknown name or bad value.
    Result<std::shared_ptr<const Settings>> with_overrides(
        const std::vector<std::pair<std::string, std::string>>& overrides) const;
    // A copy without what only root's processes may hold (ssl_key and other secrets), for handing to mail processes.
    std::shared_ptr<const Settings> without_secrets() const;
    // The same, with the secrets of authentication (auth_policy_hash_nonce): for authd.
    std::shared_ptr<const Settings> with_secrets_of_auth() const;

    const std::string& string(std::string_view name) const;
    bool boolean(std::string_view name) const;
    std::uint64_t number(std::string_view name) const;
    std::uint64_t size(std::string_view name) const;  // bytes
    std::chrono::milliseconds time(std::string_view name) const;
    // Blank-separated words of a string setting.
    std::vector<std::string> words(std::string_view name) const;
    // True if the configuration sets it (not a built-in default).
    bool is_set(std::string_view name) const;
    SettingOrigin origin(std::string_view name) const;
    // plugin { key = value }; empty if not set.
    std::string plugin(std::string_view key) const;

    const std::vector<PassDbSettings>& passdbs() const;
    const std::vector<UserDbSettings>& userdbs() const;
    const std::vector<NamespaceSettings>& namespaces() const;
    const std::vector<ServiceSettings>& services() const;
    const ServiceSettings* find_service(std::string_view name) const;
    // Every name of a local_name block, for SNI: each may hold wildcards.
    std::vector<std::string> local_names() const;
    // Every protocol that a filter block names, "!imap" as "imap".
    std::vector<std::string> protocol_names() const;

    const std::string& config_path() const;

    struct Data;
    explicit Settings(std::shared_ptr<const Data> data);
    ~Settings();
    const Data& data() const { return *data_; }  // for lib-config itself

private:
    std::shared_ptr<const Settings> with_secrets(config::Secrets secrets) const;

    std::shared_ptr<const Data> data_;  // shared by all views of one configuration
};

}  // namespace culver
