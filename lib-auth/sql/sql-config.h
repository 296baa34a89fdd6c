// dovecot-sql.conf.ext: what the sql databases read, and queries with their variables turned into bound parameters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/settings-file.h"
#include "lib-base/result.h"

namespace culver {

struct SqlConfig {
    std::string driver, connect;  // connect: the path of the file
    std::string default_pass_scheme = "MD5";
    std::string password_query = "SELECT username, domain, password FROM users WHERE username = '%n' AND domain = '%d'";
    std::string user_query = "SELECT home, uid, gid FROM users WHERE username = '%n' AND domain = '%d'";
    std::string iterate_query = "SELECT username, domain FROM users";
    std::string update_query;  // Culver's own: hash upgrade
};
// The text of the file `path`; `reader` is for its !include. InvalidArgument: every mistake at once, "file:line: what"
// each (lib-auth/settings-table.h).
Result<SqlConfig> parse_sql_config(std::string_view text, const std::string& path,
                                   const SettingsFileReader& reader = nullptr);

// A query whose %variables are parameters: the text goes to the database once, the values never become part of it
// (security rule M6).
struct SqlQuery {
    std::string text;                     // with ?1, ?2 ...
    std::vector<std::string> parameters;  // templates, to be expanded for each lookup
};
// 'a literal with %u in it' as a whole becomes one parameter, so does a bare %u or %{name}.
Result<SqlQuery> bind_variables(std::string_view query);

}  // namespace culver
