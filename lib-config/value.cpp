#include "lib-config/value.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "lib-base/text.h"

namespace culver {

namespace {

using Outcome = std::expected<TypedValue, ValueError>;

Outcome refuse(std::string text, std::string hint) {
    return std::unexpected(ValueError{std::move(text), std::move(hint)});
}

// Only "no" is false: Dovecot takes neither "false" nor "off", and guessing here would turn protection off.
Outcome parse_flag(std::string_view text) {
    if (equals_ignore_case(text, "yes") || equals_ignore_case(text, "y") || text == "1") return TypedValue{"yes", 1};
    if (equals_ignore_case(text, "no")) return TypedValue{"no", 0};
    return refuse(fmt::format("Invalid boolean value: {} (use yes or no)", text), "write yes or no");
}

Outcome parse_plain_number(std::string_view text, std::uint64_t largest) {
    auto value = parse_uint64(text);
    const char* why = nullptr;
    if (!value) {
        bool all_digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
        bool negative = text.size() > 1 && text[0] == '-' && parse_uint64(text.substr(1));
        why = all_digits ? "Number too large" : negative ? "Number too small" : "Not a valid number";
    } else if (*value > largest) {
        why = "Number too large";
    }
    if (why != nullptr) {
        return refuse(fmt::format("Invalid number {}: {}", text, why),
                      fmt::format("write a whole number from 0 to {}, without a unit", largest));
    }
    return TypedValue{fmt::format("{}", *value), *value};
}

Outcome parse_port(std::string_view text) {
    auto value = parse_uint64(text);
    if (!value || *value > 65535) {
        return refuse(fmt::format("Invalid port number {}", text),
                      "write a port number from 1 to 65535, or 0 for none");
    }
    return TypedValue{fmt::format("{}", *value), *value};
}

Outcome parse_mode(std::string_view text) {
    if (text.empty() || text[0] != '0') {
        auto decimal = parse_plain_number(text, std::numeric_limits<std::uint32_t>::max());
        if (decimal) decimal->text = fmt::format("0{:o}", decimal->number);
        return decimal;
    }
    std::uint64_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '7' || value > 0777777777) {
            return refuse(fmt::format("Invalid number: {}", text), "write an octal mode such as 0660");
        }
        value = value * 8 + static_cast<std::uint64_t>(c - '0');
    }
    return TypedValue{fmt::format("0{:o}", value), value};
}

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 5> kSizeUnits = {
    {{"", 1}, {"k", 1ULL << 10}, {"m", 1ULL << 20}, {"g", 1ULL << 30}, {"t", 1ULL << 40}}};
constexpr std::array<Unit, 6> kTimeUnits = {
    {{"weeks", 604800000}, {"days", 86400000}, {"hours", 3600000}, {"mins", 60000}, {"secs", 1000}, {"msecs", 1}}};

// Splits "5 secs" at the end of the digits; nothing if it does not begin with a number.
bool split_number(std::string_view text, std::uint64_t* number, std::string_view* unit) {
    std::size_t end = text.find_first_not_of("0123456789");
    if (end == std::string_view::npos) end = text.size();
    auto value = parse_uint64(text.substr(0, end));
    if (!value) return false;
    *number = *value;
    *unit = trim(text.substr(end));
    return true;
}

Outcome bad_size(std::string_view text) {
    return refuse(fmt::format("Invalid size: {}", text), "write a number with a unit: 512 B, 64 k, 10 M, 1 G");
}

std::string format_size(std::uint64_t bytes) {
    static constexpr char kLetters[] = "BkMGT";
    if (bytes == 0) return "0";
    int step = 0;
    while (step < 4 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++step;
    }
    return fmt::format("{} {}", bytes, kLetters[step]);
}

Outcome parse_size(std::string_view text) {
    std::uint64_t number = 0;
    std::string_view unit;
    if (!split_number(text, &number, &unit)) return bad_size(text);
    std::string lower = to_lower(unit);
    for (const auto& step : kSizeUnits) {
        std::string name(step.name);
        if (lower != name && lower != name + "b" && (name.empty() || (lower != name + "ib" && lower != name + "i")))
            continue;
        if (number > std::numeric_limits<std::uint64_t>::max() / step.factor) return bad_size(text);
        return TypedValue{format_size(number * step.factor), number * step.factor};
    }
    return bad_size(text);
}

std::string format_time(std::uint64_t msecs) {
    if (msecs == 0) return "0";
    for (const auto& unit : kTimeUnits)
        if (msecs % unit.factor == 0)
            return fmt::format("{} {}", msecs / unit.factor, unit.name == "msecs" ? "ms" : unit.name);
    return fmt::format("{} ms", msecs);
}

// The unit whose full name `written` abbreviates: "s", "sec", "seconds" all mean seconds.
const Unit* find_time_unit(std::string_view written) {
    struct Name {
        std::string_view full;
        std::size_t unit;
    };
    static constexpr std::array<Name, 9> kNames = {{{"secs", 4},
                                                    {"seconds", 4},
                                                    {"mins", 3},
                                                    {"minutes", 3},
                                                    {"hours", 2},
                                                    {"days", 1},
                                                    {"weeks", 0},
                                                    {"msecs", 5},
                                                    {"milliseconds", 5}}};
    if (equals_ignore_case(written, "ms")) return &kTimeUnits[5];
    for (const auto& name : kNames)
        if (starts_with_ignore_case(name.full, written)) return &kTimeUnits[name.unit];
    return nullptr;
}

Outcome parse_time(std::string_view text, SettingType type) {
    static const char* const kHint = "write a number with a unit: 30 secs, 5 mins, 1 hours, 2 days, 1 weeks";
    std::uint64_t number = 0;
    std::string_view unit;
    if (!split_number(text, &number, &unit)) return refuse(fmt::format("Invalid time interval: {}", text), kHint);
    if (unit.empty()) {
        if (number == 0) return TypedValue{"0", 0};
        return refuse(fmt::format("Time interval '{}' is missing units (add e.g. 's' for seconds)", text),
                      fmt::format("write {} secs, {} mins or {} hours", number, number, number));
    }
    const Unit* found = find_time_unit(unit);
    if (found == nullptr || number > std::numeric_limits<std::uint64_t>::max() / found->factor)
        return refuse(fmt::format("Invalid time interval: {}", text), kHint);
    std::uint64_t step = type == SettingType::Time ? 1000 : 1;  // Dovecot keeps 32 bits of seconds or of milliseconds
    if (number * found->factor / step > std::numeric_limits<std::uint32_t>::max())
        return refuse(fmt::format("Time interval is too large: {}", text), kHint);
    if (found->factor == 1 && type == SettingType::Time) {
        return refuse(fmt::format("Milliseconds not supported for this setting: {}", text), "write whole seconds");
    }
    return TypedValue{format_time(number * found->factor), number * found->factor};
}

Outcome parse_choice(const SettingSpec& spec, std::string_view text) {
    auto words = split_words(spec.choices);
    for (auto word : words)
        if (word == text) return TypedValue{std::string(text), 0};
    std::string list;
    for (std::size_t i = 0; i < words.size(); ++i)
        list += fmt::format("{}{}", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
    return refuse(fmt::format("Invalid value: {}", text), "write " + list);
}

}  // namespace

std::expected<TypedValue, ValueError> parse_value(const SettingSpec& spec, std::string_view written) {
    switch (spec.type) {
        case SettingType::Text: return TypedValue{std::string(written), 0};
        case SettingType::Flag: return parse_flag(written);
        case SettingType::Number: return parse_plain_number(written, std::numeric_limits<std::uint32_t>::max());
        case SettingType::Port: return parse_port(written);
        case SettingType::Mode: return parse_mode(written);
        case SettingType::Size: return parse_size(written);
        case SettingType::Time:
        case SettingType::TimeMs: return parse_time(written, spec.type);
        case SettingType::Choice: return parse_choice(spec, written);
    }
    return TypedValue{std::string(written), 0};
}

}  // namespace culver
