// The rows of every setting that stands outside blocks, in the order of their names.
#pragma once

#include <span>

#include "lib-config/setting-spec.h"

namespace culver {

std::span<const SettingSpec> root_settings();

}  // namespace culver
