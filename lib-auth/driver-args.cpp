#include "lib-auth/driver-args.h"

#include <fmt/format.h>

#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {

std::vector<DriverArg> parse_driver_args(std::string_view args) {
    std::vector<DriverArg> out;
    for (std::string_view word : split_words(args)) {
        std::size_t equals = word.find('=');
        out.push_back({std::string(word.substr(0, equals)),
                       equals == word.npos ? "" : std::string(word.substr(equals + 1)), equals != word.npos});
    }
    return out;
}

Result<PasswdFileArgs> parse_passwd_file_args(std::string_view args) {
    PasswdFileArgs out;
    args = trim(args);
    while (true) {
        std::string_view word = args.substr(0, args.find_first_of(" \t"));
        if (word.starts_with("scheme=")) out.scheme = word.substr(7);
        else if (word.starts_with("username_format=")) out.username_format = word.substr(16);
        else break;
        args = trim(args.substr(word.size()));
    }
    if (args.empty())
        return fail(ErrorCode::InvalidArgument,
                    "passwd-file: Missing args: write \"args = scheme=CRYPT username_format=%u /etc/dovecot/users\"");
    out.path = args;
    return out;
}

Result<std::string> expand_database_path(const std::string& path, const AuthRequest& request) {
    if (path.find('%') == path.npos) return path;
    bool bad = false;
    auto expanded = expand_variables(
        path, [&](std::string_view name) { return request.variable(name); },
        [&](std::string_view value) {
            if (value.empty() || value == "." || value == ".." || value.find('/') != value.npos ||
                value.find('\0') != value.npos || value.find("..") == 0)
                bad = true;
            return std::string(value);
        });
    if (!expanded) return expanded;
    if (bad) return fail(ErrorCode::NotFound, fmt::format("the user name gives no usable path for {}", path));
    return expanded;
}

}  // namespace culver
