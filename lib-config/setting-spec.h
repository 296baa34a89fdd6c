// What the configuration may contain: the declarations behind lib-config/setting-table.cpp.
//
// Everything that reads, prints or documents settings works from these rows; nothing else in the tree knows a setting
// by anything but its name. Rows are constants; all functions may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace culver {

enum class SettingType : std::uint8_t {
    Text,
    Flag,  // yes or no
    Number,
    Port,    // 0..65535
    Mode,    // octal if it begins with 0
    Size,    // bytes, with k M G T
    Time,    // whole seconds
    TimeMs,  // milliseconds allowed
    Choice,  // one of a fixed list of words
};

// Whether Culver does something with a setting yet. One that it does not is accepted with a warning when it is set to
// something other than its default.
enum class Support : std::uint8_t { Acts, Later };

// Whose business a setting is; `doveconf -m` and docs/settings.md go by it.
// clang-format off
enum class Area : std::uint8_t {
    Common, Master, Users, Auth, AuthLogin, Login, Greeting, Ssl, Mail, Remote, Imap, ImapLogin, Session, Pop3, Lmtp,
    Delivery, Sending, Submission, Sieve, Doveadm, Director, Stats, Replication, Dict,
};
// clang-format on

struct SettingSpec {
    std::string_view name;
    SettingType type = SettingType::Text;
    std::string_view default_value;  // in the form in which it is printed
    Support support = Support::Acts;
    std::string_view help;          // one line for docs/settings.md
    Area area = Area::Common;       // settings outside blocks
    std::string_view choices = {};  // Choice: the words, blank-separated
    bool secret = false;            // hidden by doveconf, kept from mail processes
};

// clang-format off
enum class BlockKind : std::uint8_t {
    Root, Service, UnixListener, FifoListener, InetListener, Namespace, Mailbox, PassDb, UserDb, Plugin, Dict, Metric,
    EventExporter,
};
// clang-format on
inline constexpr std::size_t kBlockKinds = 13;

struct BlockSpec {
    BlockKind kind;
    std::string_view name;  // as written before the label
    std::span<const SettingSpec> settings;
    std::span<const BlockKind> children;
    bool free_keys = false;  // plugin and dict: any key
};

const BlockSpec& block_spec(BlockKind kind);
// The row number of a setting in its block; nothing if there is none of that name. Constant time.
std::optional<std::uint16_t> find_setting(BlockKind kind, std::string_view name);
std::optional<BlockKind> find_child_block(BlockKind parent, std::string_view name);
// The declared name nearest to a mistyped one (settings and blocks of `kind`); empty if nothing is near.
std::string_view nearest_setting(BlockKind kind, std::string_view wrong);

// The built-in listeners and values of a service.
struct ListenerDefault {
    BlockKind kind;
    std::string_view name;
    std::string_view mode = {}, user = {}, group = {};  // unix, fifo; empty = the default of the block
    std::string_view port = {};                         // inet
    bool ssl = false;
};
struct ServiceDefault {
    std::string_view name;
    std::vector<std::pair<std::string_view, std::string_view>> values;
    std::vector<ListenerDefault> listeners;
};
const std::vector<ServiceDefault>& service_defaults();

}  // namespace culver
