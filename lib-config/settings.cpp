#include "lib-config/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-base/assert.h"
#include "lib-base/text.h"
#include "lib-config/filter-block.h"
#include "lib-config/settings-data.h"
#include "lib-config/value.h"

namespace culver {

using config::Value;

namespace {

std::uint16_t require_row(std::string_view name) {
    auto row = find_setting(BlockKind::Root, name);
    ASSERT(row);
    return *row;
}

const Value& typed(const Settings::Data& data, std::string_view name, std::initializer_list<SettingType> types) {
    auto row = require_row(name);
    ASSERT(std::ranges::find(types, block_spec(BlockKind::Root).settings[row].type) != types.end());
    return data.scalar(row);
}

Status bad_override(std::string_view name, std::string_view why) {
    return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", name, why));
}

Status override_namespace(Settings::Data& data, std::string_view path, const std::string& text) {
    auto parts = split(path, '/');
    if (parts.size() != 3) return bad_override(path, "Unknown setting");
    if (!data.namespaces) data.namespaces = data.view->namespaces;
    auto row = find_setting(BlockKind::Namespace, parts[2]);
    if (!row) return bad_override(path, "Unknown setting");
    auto value = parse_value(block_spec(BlockKind::Namespace).settings[*row], text);
    if (!value) return bad_override(path, value.error().text);
    std::string label = config::path_unescape(parts[1]);
    for (auto& each : *data.namespaces) {
        if (each.name != label) continue;
        if (parts[2] == "prefix") each.prefix = value->text;
        else if (parts[2] == "separator") each.separator = value->text;
        else if (parts[2] == "location") each.location = value->text;
        else if (parts[2] == "type") each.type = value->text;
        else if (parts[2] == "list") each.list = value->text;
        else if (parts[2] == "alias_for") each.alias_for = value->text;
        else if (parts[2] == "inbox") each.inbox = value->number != 0;
        else if (parts[2] == "hidden") each.hidden = value->number != 0;
        else if (parts[2] == "subscriptions") each.subscriptions = value->number != 0;
        else if (parts[2] == "ignore_on_failure") each.ignore_on_failure = value->number != 0;
        else if (parts[2] == "disabled") each.disabled = value->number != 0;
        else if (parts[2] == "order") each.order = static_cast<std::uint32_t>(value->number);
        return {};
    }
    return bad_override(path, "there is no such namespace");
}

Status apply_override(Settings::Data& data, const std::string& written_name, const std::string& text) {
    std::string_view name = written_name;
    if (name.starts_with("plugin/") && name.find('/', 7) == std::string_view::npos) {
        data.plugin.emplace_back(std::string(name.substr(7)), text);
        return {};
    }
    if (name.starts_with("namespace/")) return override_namespace(data, name, text);
    if (name == "mail") name = "mail_location";  // the userdb field
    auto row = find_setting(BlockKind::Root, name);
    if (!row) return bad_override(name, "Unknown setting");
    auto parsed = parse_value(block_spec(BlockKind::Root).settings[*row], text);
    if (!parsed) return bad_override(name, parsed.error().text);
    Value value;
    value.text = std::move(parsed->text);
    value.number = parsed->number;
    value.is_set = true;
    for (auto& [index, known] : data.scalars) {
        if (index != *row) continue;
        known = std::move(value);
        return {};
    }
    data.scalars.emplace_back(*row, std::move(value));
    return {};
}

}  // namespace

std::string SettingOrigin::to_string() const {
    if (file.empty()) return "default";
    return line == 0 ? file : fmt::format("{}:{}", file, line);
}

Settings::Settings(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
Settings::~Settings() = default;

std::shared_ptr<const Settings> config::make_settings(std::shared_ptr<const Config> config) {
    auto data = std::make_shared<Settings::Data>();
    data->view = find_view(*config, {});
    data->config = std::move(config);
    return std::make_shared<const Settings>(std::move(data));
}

std::shared_ptr<const Settings> Settings::for_filter(const SettingFilter& filter) const {
    SettingFilter wanted = data_->filter;
    if (!filter.protocol.empty()) wanted.protocol = filter.protocol;
    if (!filter.local_name.empty()) wanted.local_name = filter.local_name;
    if (filter.local) wanted.local = filter.local;
    if (filter.remote) wanted.remote = filter.remote;
    auto scopes = matching_scopes(*data_->config, wanted);
    // The filter is remembered, for a view of this view may be asked for more; without filter blocks nothing differs.
    if (scopes == data_->scopes && data_->config->scopes.size() == 1) return shared_from_this();
    auto data = std::make_shared<Data>();
    data->config = data_->config;
    data->filter = std::move(wanted);
    data->view = config::find_view(*data_->config, scopes);
    data->scopes = std::move(scopes);
    data->overrides = data_->overrides;
    for (const auto& [name, text] : data->overrides) (void)apply_override(*data, name, text);
    return std::make_shared<const Settings>(std::move(data));
}

Result<std::shared_ptr<const Settings>> Settings::with_overrides(
    const std::vector<std::pair<std::string, std::string>>& overrides) const {
    if (overrides.empty()) return shared_from_this();
    auto data = std::make_shared<Data>(*data_);
    for (const auto& [name, text] : overrides) {
        TRY(apply_override(*data, name, text));
        data->overrides.emplace_back(name, text);
    }
    return std::make_shared<const Settings>(std::move(data));
}

const std::string& Settings::string(std::string_view name) const { return data_->scalar(require_row(name)).text; }

bool Settings::boolean(std::string_view name) const { return typed(*data_, name, {SettingType::Flag}).number != 0; }

std::uint64_t Settings::number(std::string_view name) const {
    return typed(*data_, name, {SettingType::Number, SettingType::Port, SettingType::Mode, SettingType::Size}).number;
}

std::uint64_t Settings::size(std::string_view name) const {
    return typed(*data_, name, {SettingType::Size, SettingType::Number}).number;
}

std::chrono::milliseconds Settings::time(std::string_view name) const {
    auto value = typed(*data_, name, {SettingType::Time, SettingType::TimeMs}).number;
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX)));
}

std::vector<std::string> Settings::words(std::string_view name) const {
    std::vector<std::string> out;
    for (auto word : split_words(string(name))) out.emplace_back(word);
    return out;
}

bool Settings::is_set(std::string_view name) const { return data_->scalar(require_row(name)).is_set; }

SettingOrigin Settings::origin(std::string_view name) const {
    return data_->config->origin(data_->scalar(require_row(name)).place);
}

std::string Settings::plugin(std::string_view key) const {
    for (auto each = data_->plugin.rbegin(); each != data_->plugin.rend(); ++each)
        if (each->first == key) return each->second;
    for (const auto& [name, value] : data_->view->plugin)
        if (name == key) return value.text;
    return {};
}

const std::vector<PassDbSettings>& Settings::passdbs() const { return data_->view->passdbs; }
const std::vector<UserDbSettings>& Settings::userdbs() const { return data_->view->userdbs; }
const std::vector<NamespaceSettings>& Settings::namespaces() const {
    return data_->namespaces ? *data_->namespaces : data_->view->namespaces;
}
const std::vector<ServiceSettings>& Settings::services() const { return data_->view->services; }

const ServiceSettings* Settings::find_service(std::string_view name) const {
    for (const auto& service : services())
        if (service.name == name) return &service;
    return nullptr;
}

std::vector<std::string> Settings::local_names() const {
    std::vector<std::string> names;
    for (const auto& scope : data_->config->scopes)
        for (auto name : split_words(scope->condition.local_name))
            if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
    return names;
}

std::vector<std::string> Settings::protocol_names() const {
    std::vector<std::string> names;
    for (const auto& scope : data_->config->scopes) {
        std::string_view name = scope->condition.protocol;
        if (name.starts_with('!')) name.remove_prefix(1);
        if (!name.empty() && std::ranges::find(names, name) == names.end()) names.emplace_back(name);
    }
    return names;
}

const std::string& Settings::config_path() const { return data_->config->path; }

std::string Settings::serialize() const {
    std::string out = serialize_config(*data_->config, config::Secrets::Keep);
    return out;
}

std::shared_ptr<const Settings> Settings::without_secrets() const { return with_secrets(config::Secrets::LeaveOut); }

std::shared_ptr<const Settings> Settings::with_secrets_of_auth() const {
    return with_secrets(config::Secrets::OnlyOfAuth);
}

std::shared_ptr<const Settings> Settings::with_secrets(config::Secrets secrets) const {
    auto copy = config::deserialize_config(serialize_config(*data_->config, secrets));
    ASSERT(copy);
    auto base = config::make_settings(std::move(*copy));
    auto changed = base->for_filter(data_->filter)->with_overrides(data_->overrides);
    ASSERT(changed);
    return *changed;
}

Result<std::shared_ptr<const Settings>> Settings::deserialize(std::string_view bytes) {
    return config::make_settings(TRY(config::deserialize_config(bytes)));
}

}  // namespace culver
