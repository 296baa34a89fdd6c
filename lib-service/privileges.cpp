#include "lib-service/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/text.h"
#include "lib-service/inheritance.h"

namespace culver {
namespace {
constexpr std::size_t kGroupLimit = 65536;  // of Linux, per process
}

Result<UserEntry> find_user(std::string_view name_or_number) {
    const std::string text(name_or_number);
    std::string buffer(16384, '\0');
    passwd entry, *found = nullptr;
    auto number = parse_uint32(text);
    const int rc = number ? ::getpwuid_r(*number, &entry, buffer.data(), buffer.size(), &found)
                          : ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found) return UserEntry{entry.pw_uid, entry.pw_gid, entry.pw_name};
    if (number) return UserEntry{*number, *number, text};
    if (rc != 0 && rc != ENOENT && rc != ESRCH) return fail(Error::from_errno(rc, "getpwnam(" + text + ")"));
    return fail(ErrorCode::NotFound, "user '" + text + "' doesn't exist");
}

std::vector<gid_t> groups_of(const std::string& user, gid_t gid) {
    std::vector<gid_t> groups(256);
    int count = static_cast<int>(groups.size());
    // Too few: `count` says how many there are.
    while (::getgrouplist(user.c_str(), gid, groups.data(), &count) < 0 && groups.size() < kGroupLimit) {
        groups.resize(kGroupLimit);
        count = static_cast<int>(groups.size());
    }
    groups.resize(std::min(static_cast<std::size_t>(count), groups.size()));
    std::erase(groups, gid);
    return groups;
}

Result<gid_t> find_group(std::string_view name_or_number) {
    const std::string text(name_or_number);
    if (auto number = parse_uint32(text)) return *number;
    std::string buffer(65536, '\0');
    group entry, *found = nullptr;
    const int rc = ::getgrnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found) return entry.gr_gid;
    if (rc != 0 && rc != ENOENT && rc != ESRCH) return fail(Error::from_errno(rc, "getgrnam(" + text + ")"));
    return fail(ErrorCode::NotFound, "group '" + text + "' doesn't exist");
}

Status drop_all_capabilities() {
    for (unsigned long capability = 0; capability <= 63; ++capability) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM)
            return fail_errno("prctl(PR_CAPBSET_DROP)");
    }
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capset, &header, none) != 0) return fail_errno("capset");
    return {};
}

Status become(const PrivilegeTarget& target) {
    if (::geteuid() == 0) {
        if (!target.chroot.empty()) {
            if (::chdir(target.chroot.c_str()) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0)
                return fail_errno("chroot(" + target.chroot + ")");
        }
        if (target.uid != 0) {
            // The bounding set first: dropping from it needs CAP_SETPCAP.
            for (unsigned long capability = 0; capability <= 63; ++capability)
                ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
            if (::setgroups(target.groups.size(), target.groups.data()) != 0) return fail_errno("setgroups");
            if (::setresgid(target.gid, target.gid, target.gid) != 0) return fail_errno("setresgid");
            if (::setresuid(target.uid, target.uid, target.uid) != 0) return fail_errno("setresuid");
            if (::setuid(0) == 0) return fail(ErrorCode::Internal, "root came back after setuid");
            TRY(drop_all_capabilities());
        }
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("prctl(PR_SET_NO_NEW_PRIVS)");
    return {};
}

void limit_memory(std::uint64_t bytes) {
    if (bytes == 0 || is_sanitized_build()) return;
    rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
    ::setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace culver
