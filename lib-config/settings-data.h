// What a Settings object holds. Private to lib-config.
#pragma once

#include <mutex>

#include "lib-config/settings.h"
#include "lib-config/tree.h"

namespace culver {

struct Settings::Data {
    std::shared_ptr<const config::Config> config;  // shared by all views of one configuration
    SettingFilter filter;
    std::vector<std::uint16_t> scopes;
    std::shared_ptr<const config::View> view;  // shared with the other Settings that see the same scopes

    // with_overrides: few, so that a session costs little; the blocks are copied only if an override reaches into them.
    std::vector<std::pair<std::string, std::string>> overrides;
    std::vector<std::pair<std::uint16_t, config::Value>> scalars;
    std::vector<std::pair<std::string, std::string>> plugin;
    std::optional<std::vector<NamespaceSettings>> namespaces;

    const config::Value& scalar(std::uint16_t row) const {
        for (const auto& [index, value] : scalars)
            if (index == row) return value;
        return view->scalars[row];
    }
};

namespace config {
// The view outside all filters.
std::shared_ptr<const Settings> make_settings(std::shared_ptr<const Config> config);
// Keep or leave out the values that SettingSpec::secret marks.
enum class Secrets { Keep, OnlyOfAuth, LeaveOut };
std::string serialize_config(const Config& config, Secrets secrets);
Result<std::shared_ptr<Config>> deserialize_config(std::string_view bytes);
}  // namespace config

}  // namespace culver
