// The configuration as read: blocks of values, one tree per filter. Private to lib-config.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-config/setting-spec.h"
#include "lib-config/settings.h"
#include "lib-net/ip-address.h"

namespace culver::config {

// Where something was written: an index into Config::files (0 = built-in) and a line.
struct Place {
    std::uint32_t file = 0;
    std::uint32_t line = 0;
};

struct Value {
    std::string text;     // after references and files were put in, in printed form
    std::string written;  // as it stands in the file ("<path", "$name ..."), if that is not `text`
    std::uint64_t number = 0;
    Place place;
    bool is_set = false;  // by the configuration, not by a built-in default

    const std::string& shown() const { return written.empty() ? text : written; }
};

struct Block {
    BlockKind kind = BlockKind::Root;
    std::string name;  // the label; empty if there is none
    Place place;
    bool is_default = false;                              // built in; printed by -n only if something in it was set
    std::vector<std::pair<std::uint16_t, Value>> values;  // by row of block_spec(kind).settings
    std::vector<std::pair<std::string, Value>> free;      // plugin, dict: by key
    std::vector<std::unique_ptr<Block>> blocks;

    Block() = default;
    explicit Block(BlockKind block_kind) : kind(block_kind) {}
    const Value* find(std::uint16_t row) const;
    Value& set(std::uint16_t row);
    const Value* find_free(std::string_view key) const;
    Value& set_free(std::string_view key);
    Block* find_block(BlockKind child, std::string_view label) const;
    Block& add_block(BlockKind child, std::string label, Place where);
    bool is_empty() const { return values.empty() && free.empty() && blocks.empty(); }
};

// One filter block with the conditions of those around it folded in.
struct Condition {
    std::string protocol;    // "imap" or "!imap"
    std::string local_name;  // blank-separated, may have wildcards
    std::string local_text, remote_text;
    std::vector<IpNetwork> local, remote;  // a host name may give several

    bool matches(const SettingFilter& filter) const;
    bool is_same_as(const Condition& other) const;
    // Orders from general to specific, so that what is applied last wins.
    bool is_less_specific(const Condition& other) const;
};

struct Scope {
    Condition condition;
    Place place;
    Block root{BlockKind::Root};
};

struct View;

struct Config {
    std::string path;
    std::vector<std::string> files{std::string()};  // [0] stands for the built-in defaults
    std::vector<std::unique_ptr<Scope>> scopes;     // [0] holds what stands outside filters

    SettingOrigin origin(Place place) const { return {files[place.file], place.line}; }

    // Views already resolved, by the list of scopes that match. Guarded by `mutex`; bounded by kViewLimit.
    static constexpr std::size_t kViewLimit = 256;
    mutable std::mutex mutex;
    mutable std::map<std::vector<std::uint16_t>, std::shared_ptr<const View>> views;
};

// Built-in values and the services with their listeners, as scope [0].
std::shared_ptr<Config> make_default_config();

// What one connection or protocol sees: every scalar resolved. Immutable.
struct View {
    std::vector<Value> scalars;  // by row of the root block
    std::vector<std::pair<std::string, Value>> plugin;
    std::vector<PassDbSettings> passdbs;
    std::vector<UserDbSettings> userdbs;
    std::vector<NamespaceSettings> namespaces;
    std::vector<ServiceSettings> services;
};

// Lays the values of `from` over `onto`; named blocks meet by name, others are added.
void merge_block(Block& onto, const Block& from);
// Everything that applies under `scopes` as one block; passdb and userdb of filters stand first.
std::unique_ptr<Block> merge_scopes(const Config& config, const std::vector<std::uint16_t>& scopes);

// The indexes of the scopes that apply under `filter`, in the order in which they are to be applied; [0] not included.
std::vector<std::uint16_t> matching_scopes(const Config& config, const SettingFilter& filter);
std::shared_ptr<const View> resolve_view(const Config& config, const std::vector<std::uint16_t>& scopes);
// The same, remembered in `config`.
std::shared_ptr<const View> find_view(const Config& config, const std::vector<std::uint16_t>& scopes);

}  // namespace culver::config
