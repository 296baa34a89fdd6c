#include "doveadm/path-access.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace culver::doveadm {

namespace {

std::string owner_and_mode(const struct stat& st) {
    const passwd* user = ::getpwuid(st.st_uid);
    const group* owners = ::getgrgid(st.st_gid);
    return fmt::format("owner {}:{}, mode {:04o}", user ? user->pw_name : std::to_string(st.st_uid),
                       owners ? owners->gr_name : std::to_string(st.st_gid), st.st_mode & 07777);
}

// "/", "/var", "/var/vmail" ... of "/var/vmail/".
std::vector<std::string> prefixes(const std::string& path) {
    std::vector<std::string> out = {"/"};
    for (std::size_t at = 1; at < path.size();) {
        std::size_t end = std::min(path.find('/', at), path.size());
        if (end > at) out.push_back(path.substr(0, end));
        at = end + 1;
    }
    return out;
}

std::string mount_notes(const std::string& path) {
    struct statvfs fs;
    if (::statvfs(path.c_str(), &fs) != 0) return {};
    std::string out;
    if (fs.f_flag & ST_RDONLY) out += ", on a read-only file system";
    if (fs.f_flag & ST_NOEXEC) out += ", mounted noexec (no matter for mail)";
    if (fs.f_bavail == 0 || (fs.f_files != 0 && fs.f_favail == 0)) out += ", on a full file system";
    return out;
}

std::string cannot_write(const std::string& wanted, const std::string& last, const struct stat& st, uid_t uid,
                         gid_t gid) {
    if (errno == EROFS)
        return fmt::format("{} is on a file system that is mounted read-only: mount it read-write", last);
    // Never advice to give a directory away that others need.
    const std::string advice = last == wanted ? fmt::format("chown {}:{} {}", uid, gid, last)
                                              : fmt::format("install -d -o {} -g {} -m 0700 {}", uid, gid, wanted);
    return fmt::format("uid {} may not write to {} ({}): {}. Try: {}", uid, last, owner_and_mode(st),
                       std::strerror(errno), advice);
}

}  // namespace

PathAccess look_at_directory(const std::string& path, uid_t uid, gid_t gid) {
    PathAccess out;
    struct stat st {
    }, above{};
    std::string last;
    const auto steps = prefixes(path);
    for (const std::string& step : steps) {
        if (::stat(step.c_str(), &st) != 0) {
            const int why = errno;
            if (why == ENOENT) break;
            // The one above exists and does not let this user through.
            out.problem = why == EACCES ? fmt::format(
                                              "uid {} may not go through {} ({}). Try: chmod o+x {}, or g+x with a "
                                              "group of that user",
                                              uid, last, owner_and_mode(above), last)
                                        : fmt::format("{}: {}", step, std::strerror(why));
            return out;
        }
        if (!S_ISDIR(st.st_mode)) {
            out.problem = fmt::format("{} is no directory: move it away", step);
            return out;
        }
        above = st;
        last = step;
    }
    const bool exists = last == steps.back();
    out.facts.push_back(exists ? fmt::format("{} exists: {}{}", path, owner_and_mode(above), mount_notes(last))
                               : fmt::format("{} does not exist yet; {} does: {}{}", path, last, owner_and_mode(above),
                                             mount_notes(last)));
    if (::access(last.c_str(), W_OK | X_OK | (exists ? R_OK : 0)) != 0)
        out.problem = cannot_write(steps.back(), last, above, uid, gid);
    return out;
}

}  // namespace culver::doveadm
