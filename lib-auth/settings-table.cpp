#include "lib-auth/settings-table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "lib-base/nearest-name.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kProblemLimit = 50;

// Puts a value where it belongs. Each says what is wrong with it, and what to write; nothing if all is well.
struct Setter {
    const FileSetting& setting;

    std::string operator()(std::string* target) const {
        *target = setting.value;
        return {};
    }

    std::string operator()(SecretString* target) const {
        *target = SecretString(setting.value);
        return {};
    }

    std::string operator()(std::vector<std::string>* target) const {
        target->clear();
        for (std::string_view word : split_words(setting.value)) target->emplace_back(word);
        return {};
    }

    std::string operator()(bool* target) const {
        *target = equals_ignore_case(setting.value, "yes");
        if (*target || equals_ignore_case(setting.value, "no")) return {};
        return fmt::format("Invalid boolean: {} (write {} = yes or no)", setting.value, setting.key);
    }

    std::string operator()(int* target) const {
        constexpr int kMost = std::numeric_limits<int>::max();
        auto number = parse_uint32(setting.value);
        bool all = setting.value == "-1";
        if (!all && (!number || *number > kMost)) return no_number(kMost);
        *target = all ? -1 : static_cast<int>(*number);
        return {};
    }

    std::string operator()(std::uint32_t* target) const {
        auto number = parse_uint32(setting.value);
        if (!number) return no_number(std::numeric_limits<std::uint32_t>::max());
        *target = *number;
        return {};
    }

    std::string operator()(std::chrono::milliseconds* target) const {
        std::uint32_t number = 0;
        std::string wrong = (*this)(&number);
        if (wrong.empty()) *target = std::chrono::milliseconds(number);
        return wrong;
    }

    std::string operator()(const SettingChoice& choice) const {
        std::string words;
        for (const SettingWord& row : choice.words) {
            if (equals_ignore_case(row.word, setting.value)) {
                *choice.value = row.value;
                return {};
            }
            if (row.word.empty()) continue;
            words += words.empty() ? "" : ", ";
            words += row.word;
        }
        return fmt::format("Unknown {} value '{}' (write one of {})", setting.key, setting.value, words);
    }

    std::string no_number(std::uint32_t most) const {
        return fmt::format("Invalid number: {} (write {} = a number up to {})", setting.value, setting.key, most);
    }
};

std::string unknown(std::string_view key, std::span<const SettingRow> table) {
    std::vector<std::string_view> names;
    for (const SettingRow& row : table) names.push_back(row.name);
    std::string_view near = nearest_name(key, names);
    return fmt::format("Unknown setting: {}", key) + (near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}
}  // namespace

SettingsReader::~SettingsReader() {
    for (FileSetting& setting : file_.settings) ::explicit_bzero(setting.value.data(), setting.value.size());
}

void SettingsReader::read(std::span<const SettingRow> table) {
    for (const FileSetting& setting : file_.settings) {
        // Nobody reads more of them.
        if (file_.problems.size() > kProblemLimit) return;
        auto row = std::ranges::find(table, setting.key, &SettingRow::name);
        std::string wrong = row == table.end() ? unknown(setting.key, table) : std::visit(Setter{setting}, row->target);
        if (!wrong.empty()) problem_at(setting, wrong);
    }
}

void SettingsReader::problem_at(const FileSetting& setting, std::string_view text) {
    file_.problems.push_back(fmt::format("{}:{}: {}", setting.file, setting.line, text));
}

void SettingsReader::problem(std::string_view key, std::string_view text) {
    auto last = std::ranges::find(file_.settings.rbegin(), file_.settings.rend(), key, &FileSetting::key);
    if (last != file_.settings.rend()) problem_at(*last, text);
    else file_.problems.push_back(fmt::format("{}: {}", path_, text));
}

Status SettingsReader::finish() const {
    std::vector<std::string> problems = file_.problems;
    if (problems.empty()) return {};
    if (problems.size() > kProblemLimit) {
        problems.resize(kProblemLimit);
        problems.push_back("and more");
    }
    return fail(ErrorCode::InvalidArgument, join(problems, "; "));
}

}  // namespace culver
