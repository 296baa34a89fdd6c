#include "lib-storage/maildir/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-storage/maildir/file-name.h"

namespace culver {

namespace {

constexpr std::int64_t kTemporaryAge = 36 * 3600;
constexpr std::int64_t kTemporaryInterval = 7 * 24 * 3600;

std::string name_for_files(std::string hostname) {
    if (hostname.empty()) {
        char buffer[256] = {};
        if (::gethostname(buffer, sizeof buffer - 1) == 0) hostname = buffer;
    }
    std::string safe;
    for (char c : hostname) {
        if (c == '/') safe += "\\057";
        else if (c == ':') safe += "\\072";
        else if (static_cast<unsigned char>(c) > 32 && c != ',') safe += c;
    }
    if (safe.size() > 100) safe.resize(100);
    return safe.empty() ? "localhost" : safe;
}

// Microseconds since 1970, each value once per process.
std::int64_t unique_microseconds() {
    static std::atomic<std::int64_t> last{0};
    struct timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::int64_t value = static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    std::int64_t previous = last.load();
    do {
        if (value <= previous) value = previous + 1;
    } while (!last.compare_exchange_weak(previous, value));
    return value;
}

std::int64_t nanoseconds(const struct timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// rename(2) that replaces nothing.
Status rename_exclusively(const std::string& from, const std::string& to) {
    if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno == EINVAL || errno == ENOSYS) {
        if (::rename(from.c_str(), to.c_str()) == 0) return {};
    }
    return fail_errno("rename(" + from + ", " + to + ")");
}

Status make_directory(const std::string& path, unsigned mode) {
    if (::mkdir(path.c_str(), mode) == 0) {
        if ((mode & 077) != 0) ::chmod(path.c_str(), mode);
        return {};
    }
    if (errno == EEXIST) return {};
    return fail_errno("mkdir(" + path + ")");
}

Status make_directories(const std::string& path, unsigned mode) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        std::string part = path.substr(0, at);
        if (::access(part.c_str(), F_OK) != 0) TRY(make_directory(part, mode));
    }
    return make_directory(path, mode);
}

}  // namespace

Maildir::Maildir(MailboxPaths paths, MailboxOptions options)
    : paths_(std::move(paths)), options_(std::move(options)), hostname_(name_for_files(options_.hostname)) {}

Status Maildir::prepare() {
    struct stat st;
    if (::stat(paths_.mail.c_str(), &st) != 0) return fail_errno("stat(" + paths_.mail + ")");
    if (!S_ISDIR(st.st_mode)) return fail(ErrorCode::NotFound, paths_.mail + " is not a directory");
    for (const char* part : {"/cur", "/new", "/tmp"}) {
        std::string path = paths_.mail + part;
        if (::stat(path.c_str(), &st) != 0 && errno == ENOENT) TRY(make_directory(path, options_.directory_mode));
    }
    for (const std::string* path : {&paths_.control, &paths_.index, &paths_.root_control})
        if (!path->empty() && ::stat(path->c_str(), &st) != 0 && errno == ENOENT)
            TRY(make_directories(*path, options_.directory_mode));
    return {};
}

Result<DiskStamp> Maildir::stamp() {
    DiskStamp stamp;
    struct stat st;
    if (::stat((paths_.mail + "/cur").c_str(), &st) != 0) return fail_errno("stat(" + paths_.mail + "/cur)");
    stamp.cur_mtime = nanoseconds(st.st_mtim);
    if (::stat((paths_.mail + "/new").c_str(), &st) != 0) return fail_errno("stat(" + paths_.mail + "/new)");
    stamp.new_mtime = nanoseconds(st.st_mtim);
    if (::stat((paths_.control + "/dovecot-uidlist").c_str(), &st) == 0) {
        stamp.uidlist_inode = st.st_ino;
        stamp.uidlist_size = static_cast<std::uint64_t>(st.st_size);
        stamp.uidlist_mtime = nanoseconds(st.st_mtim);
    } else if (errno != ENOENT) {
        return fail_errno("stat(" + paths_.control + "/dovecot-uidlist)");
    }
    return stamp;
}

Status Maildir::scan(bool cur, bool in_new, const std::function<void(const FoundFile&)>& visit) {
    for (bool is_new : {true, false}) {
        if (!(is_new ? in_new : cur)) continue;
        std::string path = paths_.mail + (is_new ? "/new" : "/cur");
        std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
        if (directory == nullptr) return fail_errno("opendir(" + path + ")");
        errno = 0;
        while (const struct dirent* entry = ::readdir(directory.get())) {
            std::string_view name = entry->d_name;
            if (entry->d_type != DT_REG) {
                struct stat st;
                if (entry->d_type != DT_UNKNOWN ||
                    ::fstatat(::dirfd(directory.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                    !S_ISREG(st.st_mode))
                    continue;
            }
            auto parsed = parse_file_name(name);
            if (!parsed) continue;
            FoundFile found;
            found.base = parsed->base;
            found.info = parsed->info;
            found.flags = parsed->flags;
            found.place = is_new ? kInNew : 0;
            if (!parsed->info.empty()) found.place |= kHasInfo;
            if (!parsed->canonical) found.place |= kOddInfo;
            visit(found);
            errno = 0;
        }
        if (errno != 0) return fail_errno("readdir(" + path + ")");
    }
    return {};
}

std::string Maildir::path(const StoredFile& file) const {
    std::string path = paths_.mail + ((file.place & kInNew) != 0 ? "/new/" : "/cur/") + file.base;
    if ((file.place & kOddInfo) != 0) path += file.odd_info;
    else if ((file.place & kHasInfo) != 0) path += format_info(file.disk);
    return path;
}

Result<UniqueFd> Maildir::open(const StoredFile& file) {
    std::string name = path(file);
    UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!fd) return fail_errno("open(" + name + ")");
    return fd;
}

Result<FileTimes> Maildir::times(const StoredFile& file) {
    std::string name = path(file);
    struct stat st;
    if (::lstat(name.c_str(), &st) != 0) return fail_errno("stat(" + name + ")");
    return FileTimes{st.st_mtim.tv_sec, st.st_ctim.tv_sec, static_cast<std::uint64_t>(st.st_size)};
}

Result<StoredFile> Maildir::set_flags(const StoredFile& file, FileFlags flags, bool into_cur) {
    StoredFile renamed = file;
    if (into_cur) renamed.place &= static_cast<std::uint8_t>(~kInNew);
    renamed.place |= kHasInfo;
    std::string info = format_info(flags, file.odd_info);
    renamed.disk = flags;
    if (info == format_info(flags)) {
        renamed.place &= static_cast<std::uint8_t>(~kOddInfo);
        renamed.odd_info.clear();
    } else {
        renamed.place |= kOddInfo;
        renamed.odd_info = info;
    }
    std::string from = path(file), to = path(renamed);
    if (from != to && ::rename(from.c_str(), to.c_str()) != 0) return fail_errno("rename(" + from + ", " + to + ")");
    return renamed;
}

Status Maildir::remove(const StoredFile& file) {
    std::string name = path(file);
    if (::unlink(name.c_str()) != 0) return fail_errno("unlink(" + name + ")");
    return {};
}

std::string Maildir::new_base_name() {
    std::int64_t time = unique_microseconds();
    return fmt::format("{}.M{}P{}.{}", time / 1'000'000, time % 1'000'000, ::getpid(), hostname_);
}

Result<TemporaryFile> Maildir::create_temporary() {
    for (int attempt = 0;; ++attempt) {
        std::string base = new_base_name();
        std::string path = paths_.mail + "/tmp/" + base;
        UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, options_.file_mode));
        if (fd) {
            if ((options_.file_mode & 077) != 0) ::fchmod(fd.get(), options_.file_mode);
            return TemporaryFile(std::move(fd), std::move(path), std::move(base));
        }
        if (errno == ENOENT && attempt == 0) {
            TRY(prepare());
            continue;
        }
        if (errno != EEXIST || attempt > 100) return fail_errno("open(" + path + ")");
    }
}

Status Maildir::place(TemporaryFile& temporary, const StoredFile& as) {
    TRY(rename_exclusively(temporary.path(), path(as)));
    temporary.placed();
    return {};
}

Status Maildir::link(const std::string& source, const StoredFile& as) {
    std::string to = path(as);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, to.c_str(), 0) != 0)
        return fail_errno("link(" + source + ", " + to + ")");
    return {};
}

Status Maildir::sync_directories(bool cur, bool in_new) {
    if (options_.fsync == MailboxOptions::Fsync::Never) return {};
    if (cur) TRY(sync_directory(paths_.mail + "/cur"));
    if (in_new) TRY(sync_directory(paths_.mail + "/new"));
    return {};
}

void Maildir::clean_temporaries() {
    // The directory's atime says when this was last done (Dovecot's rule).
    std::string path = paths_.mail + "/tmp";
    struct stat st;
    std::int64_t now = ::time(nullptr);
    if (::stat(path.c_str(), &st) != 0 || st.st_atim.tv_sec > now - kTemporaryInterval) return;
    struct timespec times[2] = {{now, 0}, {0, UTIME_OMIT}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (directory == nullptr) return;
    while (const struct dirent* entry = ::readdir(directory.get())) {
        if (entry->d_name[0] == '.') continue;
        if (::fstatat(::dirfd(directory.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (st.st_mtim.tv_sec < now - kTemporaryAge && st.st_ctim.tv_sec < now - kTemporaryAge)
            ::unlinkat(::dirfd(directory.get()), entry->d_name, 0);
    }
}

}  // namespace culver
