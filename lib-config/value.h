// Typed values: the check that a written value fits its setting, and the one form in which it is printed.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "lib-config/setting-spec.h"

namespace culver {

struct TypedValue {
    std::string text;          // in the form in which doveconf prints it ("2 mins", "10 M", "0660")
    std::uint64_t number = 0;  // Flag 0/1, Number, Port, Mode, Size in bytes, times in milliseconds
};

struct ValueError {
    std::string text;  // in Dovecot's words
    std::string hint;  // what to write instead
};

// Checks and converts a value as written (quotes and references already resolved).
std::expected<TypedValue, ValueError> parse_value(const SettingSpec& spec, std::string_view written);

}  // namespace culver
