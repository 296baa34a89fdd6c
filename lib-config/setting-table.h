// The rows of every setting that stands outside blocks.
#pragma once

#include <span>
#include <string_view>

#include "lib-config/setting-spec.h"

namespace culver {

std::span<const SettingSpec> auth_settings();
std::span<const SettingSpec> login_settings();
std::span<const SettingSpec> server_settings();
std::span<const SettingSpec> mail_settings();
std::span<const SettingSpec> protocol_settings();

// All of them, sorted by name.
std::span<const SettingSpec> root_settings();

// Whether `doveconf -m module` shows a setting.
bool module_uses(std::string_view module, const SettingSpec& spec);
bool module_uses(std::string_view module, BlockKind kind);

}  // namespace culver
