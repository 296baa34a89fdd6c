// The `args` of a database: blank-separated key=value words, then for file drivers a path.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/auth-request.h"
#include "lib-base/result.h"

namespace culver {

// One word; blanks in a value are written inside quotes or not at all, as in Dovecot.
struct DriverArg {
    std::string key, value;
    bool has_value = false;
};
std::vector<DriverArg> parse_driver_args(std::string_view args);

// args of passwd-file: options, then the path, which may hold blanks and %variables.
struct PasswdFileArgs {
    std::string scheme = "CRYPT", username_format = "%u", path;
};
Result<PasswdFileArgs> parse_passwd_file_args(std::string_view args);

// The path for this request. NotFound if what a variable gives is no plain path component ("..", a slash, a NUL,
// nothing): a user name must not choose a file outside the configured folder.
Result<std::string> expand_database_path(const std::string& path, const AuthRequest& request);

}  // namespace culver
