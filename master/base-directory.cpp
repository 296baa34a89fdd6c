#include "master/base-directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "lib-service/privileges.h"

namespace culver {
namespace {

Status make_directory(const std::string& path, unsigned mode, gid_t group) {
    if (::mkdir(path.c_str(), mode) != 0) {
        if (errno == EEXIST) return {};
        return fail_errno("mkdir(" + path + ")");
    }
    if (::geteuid() == 0 && ::chown(path.c_str(), 0, group) != 0) return fail_errno("chown(" + path + ")");
    if (::chmod(path.c_str(), mode) != 0) return fail_errno("chmod(" + path + ")");
    return {};
}

// Its group is the login user's, also when that is another than when the directory was made.
Status give_to_group(const std::string& path, gid_t group) {
    struct stat st;
    if (::geteuid() != 0 || ::lstat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode) || st.st_gid == group) return {};
    if (::lchown(path.c_str(), static_cast<uid_t>(-1), group) != 0) return fail_errno("chown(" + path + ")");
    return {};
}

// mkdir -p for what lies above base_dir.
Status make_parents(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        TRY(make_directory(path.substr(0, slash), 0755, 0));
    return {};
}

void link_configuration(const std::string& base, const std::string& config_path) {
    char* resolved = ::realpath(config_path.c_str(), nullptr);
    if (!resolved) return;
    const std::string link = base + "/dovecot.conf";
    struct stat st;
    if (::lstat(link.c_str(), &st) != 0 || S_ISLNK(st.st_mode)) {
        ::unlink(link.c_str());
        [[maybe_unused]] int rc = ::symlink(resolved, link.c_str());
    }
    ::free(resolved);
}

}  // namespace

Status prepare_base_directory(const Settings& settings) {
    const std::string& base = settings.string("base_dir");
    gid_t login_group = 0;
    if (::geteuid() == 0) {
        auto user = find_user(settings.string("default_login_user"));
        if (!user)
            return fail(ErrorCode::NotFound, user.error().detail +
                                                 " (see default_login_user setting); create it: useradd "
                                                 "--system --home-dir /nonexistent --shell /usr/sbin/nologin " +
                                                 settings.string("default_login_user"));
        login_group = user->gid;
    }
    TRY(make_parents(base));
    TRY(make_directory(base, 0755, 0));
    TRY(make_directory(base + "/login", 0750, login_group));
    TRY(give_to_group(base + "/login", login_group));
    TRY(make_directory(base + "/empty", 0755, 0));
    link_configuration(base, settings.config_path());
    return {};
}

}  // namespace culver
