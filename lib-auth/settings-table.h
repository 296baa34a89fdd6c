// What the file of a database may say (dovecot-ldap.conf.ext, dovecot-oauth2.conf.ext, dovecot-sql.conf.ext): a table
// of its settings, and where their values go. Every mistake of a file is reported, with file:line and what to write.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib-auth/settings-file.h"
#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

// One of a few words, upper or lower case. An empty word allows an empty value.
struct SettingWord {
    std::string_view word;
    int value;
};
struct SettingChoice {
    int* value;
    std::span<const SettingWord> words;
};

// Where a value goes; what the pointer leads to says what may be written: any text, any text that is a secret,
// blank-separated words, yes or no, a number or -1, a number, milliseconds, one of a few words. Not owned.
using SettingTarget = std::variant<std::string*, SecretString*, std::vector<std::string>*, bool*, int*, std::uint32_t*,
                                   std::chrono::milliseconds*, SettingChoice>;

// Two rows may have the same target; one that nobody looks at makes a setting that is accepted and ignored.
struct SettingRow {
    std::string_view name;
    SettingTarget target;
};

// Reads one file, in three steps: read(), then a problem() for all that the caller finds wrong, then finish().
class SettingsReader {
public:
    // `path` names the file in the problems. `reader` is for !include, and may end with the constructor.
    SettingsReader(std::string_view text, std::string path, const SettingsFileReader& reader = nullptr)
        : file_(parse_settings_file(text, path, reader)), path_(std::move(path)) {}
    // The values may be secrets: wiped.
    ~SettingsReader();
    SettingsReader(const SettingsReader&) = delete;
    SettingsReader& operator=(const SettingsReader&) = delete;

    // Sets every target whose setting is in the file, the others stay as they are. A later line wins. A value that
    // cannot be meant, or a setting that is in no row, is a problem.
    void read(std::span<const SettingRow> table);
    // What is wrong with a value, named by the line that set it last; by the file alone if no line did.
    void problem(std::string_view key, std::string_view text);
    // InvalidArgument with every problem as "file:line: text", joined by "; " (the first 50 of very many).
    Status finish() const;

private:
    void problem_at(const FileSetting& setting, std::string_view text);

    SettingsFile file_;
    const std::string path_;
};

}  // namespace culver
