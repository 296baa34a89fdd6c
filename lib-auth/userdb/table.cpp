// One line per userdb driver.
#include <fmt/format.h>
#include <grp.h>

#include <vector>

#include "lib-auth/system-user.h"
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
    {"ldap", userdb::make_ldap},
};

// Digits as the number that they are, without zeros in front.
std::optional<std::string> as_number(std::string_view text) {
    auto number = parse_uint32(text);
    return number ? std::optional(fmt::format("{}", *number)) : std::nullopt;
}
}  // namespace

std::span<const UserDbDriver> userdb_drivers() { return kDrivers; }

Status UserDb::iterate(const std::function<void(std::string_view)>&) {
    return fail(ErrorCode::Unsupported, "userdb doesn't support listing users");
}

Result<std::string> resolve_uid(std::string_view text) {
    if (auto number = as_number(text)) return *number;
    if (auto user = find_system_user(std::string(text)); user && *user) return fmt::format("{}", (*user)->uid);
    return fail(ErrorCode::InvalidArgument, fmt::format("Invalid UID value '{}'", text));
}

Result<std::string> resolve_gid(std::string_view text) {
    if (auto number = as_number(text)) return *number;
    std::vector<char> buffer(16384);
    group entry{}, *found = nullptr;
    std::string name(text);
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return fmt::format("{}", entry.gr_gid);
    return fail(ErrorCode::InvalidArgument, fmt::format("Invalid GID value '{}'", text));
}

}  // namespace culver
