// The small files behind `args` of a database (dovecot-ldap.conf.ext and its like): `key = value`, one a line.
//
// As Dovecot reads them: # begins a comment, at the beginning of a line or anywhere outside quotes; a backslash at the
// end joins the next line by a blank; a value in quotes loses them (and its backslashes); lines of a block
// `name { ... }` count like any other; `!include file` and `!include_try file` read another file in place.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct FileSetting {
    std::string key, value;
    std::string file;
    unsigned line = 0;
};

struct SettingsFile {
    std::vector<FileSetting> settings;  // in their order; a later one wins
    std::vector<std::string> problems;  // "file:line: what", for the admin
};

// Reads another file for !include; of a failure only the text is used.
using SettingsFileReader = std::function<Result<std::string>(const std::string& path)>;

// Bounded: 8 levels of includes, 64 files. Without a reader !include is a problem.
SettingsFile parse_settings_file(std::string_view text, const std::string& path,
                                 const SettingsFileReader& reader = nullptr);

}  // namespace culver
