#include "lib-auth/passwd-file-store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib-auth/passwd-file.h"
#include "lib-base/file.h"
#include "lib-base/random.h"
#include "lib-base/text.h"
#include "lib-base/unique-fd.h"

namespace culver {

namespace {
constexpr off_t kFileLimit = 64 << 20;  // each upgrade writes all of it

Error no_right(int error, const std::string& what, const std::string& path) {
    return Error{error == EACCES || error == EPERM ? ErrorCode::NoPermission : ErrorCode::Io, std::strerror(error),
                 fmt::format("{}: {} (auth runs as uid {}): to have passwords upgraded, keep {} in a folder of its own "
                             "that this uid owns together with the file (chown), or unset auth_password_upgrade_scheme",
                             what, std::strerror(error), ::geteuid(), path)};
}

bool fits_a_field(std::string_view text) { return text.find_first_of(std::string_view(":\n\r\0", 4)) == text.npos; }

// Removes the file unless it has taken its place.
struct TemporaryFile {
    std::string path;
    ~TemporaryFile() {
        if (!path.empty()) ::unlink(path.c_str());
    }
    // An empty one in the folder of `real`, with its owner, group and mode.
    Status create_beside(const std::string& real, const struct stat& like, UniqueFd& out);
};

Status TemporaryFile::create_beside(const std::string& real, const struct stat& like, UniqueFd& out) {
    std::string name = fmt::format("{}.upgrade.{}", real, hex_encode(random_bytes(6)));
    out = UniqueFd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out) return fail(no_right(errno, fmt::format("creating a file beside {}", real), real));
    path = std::move(name);
    struct stat made {};
    ::fstat(out.get(), &made);
    const uid_t owner = made.st_uid == like.st_uid ? static_cast<uid_t>(-1) : like.st_uid;
    const bool owned =
        (made.st_uid == like.st_uid && made.st_gid == like.st_gid) || ::fchown(out.get(), owner, like.st_gid) == 0;
    if (!owned)
        return fail(
            no_right(errno, fmt::format("keeping the owner {}:{} of {}", like.st_uid, like.st_gid, real), real));
    if (::fchmod(out.get(), like.st_mode & 07777) != 0)
        return fail(no_right(errno, "keeping the mode of " + real, real));
    return {};
}
}  // namespace

std::optional<std::string> with_new_password(std::string_view text, std::string_view user, std::string_view fresh,
                                             const std::function<bool(std::string_view field)>& is_as_read) {
    if (user.empty() || user[0] == '#' || !fits_a_field(user) || !fits_a_field(fresh)) return std::nullopt;
    for (std::size_t start = 0, end; start < text.size(); start = end + 1) {
        end = std::min(text.find('\n', start), text.size());
        std::string_view line = text.substr(start, end - start);
        if (line.ends_with('\r')) line.remove_suffix(1);
        // The line that counts is the one that PasswdFileTable finds.
        if (line.substr(0, line.find(':')) != user || why_nobodys_line(line)) continue;
        const std::size_t field = user.size() + 1;
        if (line.size() < field) return std::nullopt;
        const std::size_t field_end = std::min(line.find(':', field), line.size());
        if (!is_as_read(line.substr(field, field_end - field))) return std::nullopt;
        // Longer, it may be too long to be his.
        if (line.size() - (field_end - field) + fresh.size() > kPasswdLineLimit) return std::nullopt;
        std::string out;
        out.reserve(text.size() + fresh.size());
        out += text.substr(0, start + field);
        out += fresh;
        out += text.substr(start + field_end);
        return out;
    }
    return std::nullopt;
}

Status store_in_passwd_file(const std::string& path, std::string_view user, std::string_view fresh,
                            const std::function<bool(std::string_view field)>& is_as_read) {
    char resolved[PATH_MAX];
    if (!::realpath(path.c_str(), resolved)) return fail(no_right(errno, fmt::format("realpath({})", path), path));
    const std::string real = resolved;
    UniqueFd fd(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return fail(no_right(errno, fmt::format("open({})", real), real));
    // Whoever edits it with the same lock is let finish; another upgrade is not worth waiting for.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::InUse, real + " is locked by another process");
    struct stat before {};
    if (::fstat(fd.get(), &before) != 0 || !S_ISREG(before.st_mode))
        return fail(ErrorCode::Io, real + " is no regular file");
    if (before.st_size > kFileLimit)
        return fail(ErrorCode::Limit,
                    fmt::format("{} is larger than {} MiB: too much to write at a login", real, kFileLimit >> 20));
    std::string text(static_cast<std::size_t>(before.st_size), '\0');
    ssize_t size = ::pread(fd.get(), text.data(), text.size(), 0);
    if (size != before.st_size) return fail(ErrorCode::InUse, real + " is being written");
    auto changed = with_new_password(text, user, fresh, is_as_read);
    ::explicit_bzero(text.data(), text.size());
    if (!changed) return fail(ErrorCode::InUse, fmt::format("the line of {} in {} has changed", user, real));

    UniqueFd out;
    TemporaryFile temporary;
    TRY(temporary.create_beside(real, before, out));
    TRY(write_all(out.get(), *changed, temporary.path));
    ::explicit_bzero(changed->data(), changed->size());
    if (::fsync(out.get()) != 0) return fail_errno(fmt::format("fsync({})", temporary.path));
    // Another program may have put its file in the place of the one that was read, lock or no lock.
    if (FileStamp::of_path(real) != FileStamp(before)) return fail(ErrorCode::InUse, real + " was changed meanwhile");
    if (::rename(temporary.path.c_str(), real.c_str()) != 0)
        return fail(no_right(errno, fmt::format("rename({})", temporary.path), real));
    temporary.path.clear();
    return sync_directory(real.substr(0, real.rfind('/') + 1));
}

}  // namespace culver
