#include "lib-auth/system-user.h"

#include <fmt/format.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace culver {

namespace {
constexpr std::size_t kEntryLimit = 64 * 1024;
}

Result<std::optional<SystemUser>> find_system_user(const std::string& name) {
    if (name.find('\0') != std::string::npos) return std::nullopt;
    std::vector<char> buffer(kEntryLimit);
    passwd entry{}, *found = nullptr;
    int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    // Some modules of NSS say "no such user" like this.
    if (error != 0 && error != ENOENT && error != ESRCH)
        return fail(Error::from_errno(error, fmt::format("getpwnam_r({})", name)));
    if (!found) return std::nullopt;
    auto text = [](const char* field) { return field ? field : ""; };
    return SystemUser{text(entry.pw_name), text(entry.pw_dir), SecretString(text(entry.pw_passwd)), entry.pw_uid,
                      entry.pw_gid};
}

}  // namespace culver
