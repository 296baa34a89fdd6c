#include "lib-base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "lib-base/unique-fd.h"

namespace culver {

bool FileTime::is_older_than(std::chrono::nanoseconds age) const {
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    // Seconds first: those of a file may be any number, and would overflow as nanoseconds.
    constexpr std::int64_t kMany = 1'000'000'000;
    if (seconds > now.tv_sec) return false;
    if (seconds < now.tv_sec - kMany) return true;
    return std::chrono::seconds(now.tv_sec - seconds) + std::chrono::nanoseconds(now.tv_nsec - nanoseconds) > age;
}

FileStamp::FileStamp(const struct ::stat& file)
    : device(file.st_dev), inode(file.st_ino), size(file.st_size), mtime{file.st_mtim.tv_sec, file.st_mtim.tv_nsec} {}

std::optional<FileStamp> FileStamp::of_path(const std::string& path) {
    struct stat file;
    if (::stat(path.c_str(), &file) != 0) return std::nullopt;
    return FileStamp(file);
}

std::optional<FileStamp> FileStamp::of_fd(int fd) {
    struct stat file;
    if (::fstat(fd, &file) != 0) return std::nullopt;
    return FileStamp(file);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return fail_errno("open(" + path + ")");
    struct stat st;
    if (::fstat(fd.get(), &st) != 0) return fail_errno("fstat(" + path + ")");
    if (!S_ISREG(st.st_mode)) return fail(ErrorCode::InvalidArgument, path + " is not a regular file");
    std::string data;
    data.reserve(static_cast<std::size_t>(st.st_size));
    char buffer[65536];
    for (;;) {
        ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("read(" + path + ")");
        if (n == 0) return data;
        if (data.size() + static_cast<std::size_t>(n) > limit)
            return fail(ErrorCode::Limit, path + " is larger than " + std::to_string(limit) + " bytes");
        data.append(buffer, static_cast<std::size_t>(n));
    }
}

Status write_all(int fd, std::string_view data, std::string_view what) {
    while (!data.empty()) {
        ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("write(" + std::string(what) + ")");
        data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Status replace_file(const std::string& path, std::string_view data, unsigned mode, bool sync) {
    const std::string tmp = path + ".tmp." + std::to_string(::getpid());
    ::unlink(tmp.c_str());
    UniqueFd fd(::open(tmp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return fail_errno("open(" + tmp + ")");
    auto write_tmp = [&]() -> Status {
        TRY(write_all(fd.get(), data, tmp));
        if (sync && ::fsync(fd.get()) != 0) return fail_errno("fsync(" + tmp + ")");
        TRY(fd.close(tmp));
        if (::rename(tmp.c_str(), path.c_str()) != 0) return fail_errno("rename(" + tmp + ", " + path + ")");
        return {};
    };
    if (Status status = write_tmp(); !status) {
        ::unlink(tmp.c_str());
        return status;
    }
    auto slash = path.rfind('/');
    if (!sync || slash == std::string::npos) return {};
    return sync_directory(path.substr(0, slash == 0 ? 1 : slash));
}

Status sync_directory(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno("open(" + path + ")");
    if (::fsync(fd.get()) != 0) return fail_errno("fsync(" + path + ")");
    return {};
}

}  // namespace culver
