// One line per userdb driver.
#include <grp.h>
#include <pwd.h>

#include <vector>

#include <fmt/format.h>

#include "lib-auth/userdb/drivers.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr UserDbDriver kDrivers[] = {
    {"passwd-file", userdb::make_passwd_file},
    {"passwd", userdb::make_passwd},
    {"static", userdb::make_static},
    {"prefetch", userdb::make_prefetch},
    {"sql", userdb::make_sql},
    {"checkpassword", userdb::make_checkpassword},
};

bool is_number(std::string_view text) { return parse_uint32(text).has_value(); }
}  // namespace

std::span<const UserDbDriver> userdb_drivers() { return kDrivers; }

Status UserDb::iterate(const std::function<void(std::string_view)>&) {
    return fail(ErrorCode::Unsupported, "userdb doesn't support listing users");
}

Result<std::string> resolve_uid(std::string_view text) {
    if (is_number(text)) return std::string(text);
    std::vector<char> buffer(16384);
    passwd entry{}, *found = nullptr;
    std::string name(text);
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return fmt::format("{}", entry.pw_uid);
    return fail(ErrorCode::InvalidArgument, fmt::format("Invalid UID value '{}'", text));
}

Result<std::string> resolve_gid(std::string_view text) {
    if (is_number(text)) return std::string(text);
    std::vector<char> buffer(16384);
    group entry{}, *found = nullptr;
    std::string name(text);
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return fmt::format("{}", entry.gr_gid);
    return fail(ErrorCode::InvalidArgument, fmt::format("Invalid GID value '{}'", text));
}

}  // namespace culver
