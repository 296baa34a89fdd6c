#include "lib-config/tree.h"

#include <algorithm>
#include <tuple>

#include "lib-base/assert.h"
#include "lib-base/text.h"
#include "lib-config/value.h"

namespace culver::config {

const Value* Block::find(std::uint16_t row) const {
    for (const auto& [index, value] : values)
        if (index == row) return &value;
    return nullptr;
}

Value& Block::set(std::uint16_t row) {
    for (auto& [index, value] : values)
        if (index == row) return value;
    return values.emplace_back(row, Value()).second;
}

const Value* Block::find_free(std::string_view key) const {
    for (const auto& [name_of_value, value] : free)
        if (name_of_value == key) return &value;
    return nullptr;
}

Value& Block::set_free(std::string_view key) {
    for (auto& [name_of_value, value] : free)
        if (name_of_value == key) return value;
    return free.emplace_back(std::string(key), Value()).second;
}

Block* Block::find_block(BlockKind child, std::string_view label) const {
    for (const auto& block : blocks)
        if (block->kind == child && block->name == label) return block.get();
    return nullptr;
}

Block& Block::add_block(BlockKind child, std::string label, Place where) {
    blocks.push_back(std::make_unique<Block>(child));
    blocks.back()->name = std::move(label);
    blocks.back()->place = where;
    return *blocks.back();
}

namespace {

// "*.example.org" stands for one or more labels; everything else is compared whole.
bool name_matches(std::string_view patterns, std::string_view name) {
    for (auto pattern : split_words(patterns)) {
        if (equals_ignore_case(pattern, name)) return true;
        if (!pattern.starts_with("*.")) continue;
        auto suffix = pattern.substr(1);
        if (name.size() > suffix.size() && equals_ignore_case(name.substr(name.size() - suffix.size()), suffix))
            return true;
    }
    return false;
}

bool contains(const std::vector<IpNetwork>& networks, const std::optional<IpAddress>& address) {
    if (!address) return false;
    return std::ranges::any_of(networks, [&](const IpNetwork& network) { return network.contains(*address); });
}

unsigned bits(const std::vector<IpNetwork>& networks) {
    return networks.empty() ? 0 : networks.front().prefix_length + 1;
}

auto rank(const Condition& condition) {
    return std::tuple(condition.local_name.size(), bits(condition.local), bits(condition.remote),
                      !condition.protocol.empty());
}

}  // namespace

bool Condition::matches(const SettingFilter& filter) const {
    if (!protocol.empty()) {
        // "protocol !x" asks for a protocol that is known and not x.
        if (filter.protocol.empty()) return false;
        bool negated = protocol[0] == '!';
        if ((filter.protocol == std::string_view(protocol).substr(negated ? 1 : 0)) == negated) return false;
    }
    if (!local_name.empty() && !name_matches(local_name, filter.local_name)) return false;
    if (!local.empty() && !contains(local, filter.local)) return false;
    return remote.empty() || contains(remote, filter.remote);
}

bool Condition::is_same_as(const Condition& other) const {
    return protocol == other.protocol && local_name == other.local_name && local_text == other.local_text &&
           remote_text == other.remote_text;
}

bool Condition::is_less_specific(const Condition& other) const { return rank(*this) < rank(other); }

std::vector<std::uint16_t> matching_scopes(const Config& config, const SettingFilter& filter) {
    std::vector<std::uint16_t> found;
    // What comes later counts more; of equals (protocol imap, protocol !lmtp) that is the first in the file.
    for (std::size_t i = config.scopes.size(); i-- > 1;)
        if (config.scopes[i]->condition.matches(filter)) found.push_back(static_cast<std::uint16_t>(i));
    std::ranges::stable_sort(found, [&](std::uint16_t a, std::uint16_t b) {
        return config.scopes[a]->condition.is_less_specific(config.scopes[b]->condition);
    });
    return found;
}

std::shared_ptr<const View> find_view(const Config& config, const std::vector<std::uint16_t>& scopes) {
    std::lock_guard lock(config.mutex);
    if (auto known = config.views.find(scopes); known != config.views.end()) return known->second;
    auto view = resolve_view(config, scopes);
    if (config.views.size() >= Config::kViewLimit) config.views.clear();
    config.views.emplace(scopes, view);
    return view;
}

namespace {

void set_default(Block& block, std::string_view name, std::string_view text) {
    auto row = find_setting(block.kind, name);
    ASSERT(row);
    auto typed = parse_value(block_spec(block.kind).settings[*row], text);
    ASSERT(typed);
    Value& value = block.set(*row);
    value.text = typed->text;
    value.number = typed->number;
}

void add_default_listener(Block& service, const ListenerDefault& listener) {
    Block& block = service.add_block(listener.kind, std::string(listener.name), {});
    block.is_default = true;
    if (!listener.mode.empty()) set_default(block, "mode", listener.mode);
    if (!listener.user.empty()) set_default(block, "user", listener.user);
    if (!listener.group.empty()) set_default(block, "group", listener.group);
    if (!listener.port.empty()) set_default(block, "port", listener.port);
    if (listener.ssl) set_default(block, "ssl", "yes");
}

}  // namespace

std::shared_ptr<Config> make_default_config() {
    auto made = std::make_shared<Config>();
    made->scopes.push_back(std::make_unique<Scope>());
    Block& root = made->scopes[0]->root;
    for (const auto& service : service_defaults()) {
        Block& block = root.add_block(BlockKind::Service, std::string(service.name), {});
        block.is_default = true;
        for (const auto& [name, text] : service.values) set_default(block, name, text);
        for (const auto& listener : service.listeners) add_default_listener(block, listener);
    }
    return made;
}

}  // namespace culver::config
