// Whole-file reads, durable writes, and whether a file has changed. Paths are absolute unless said otherwise.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib-base/result.h"

struct stat;

namespace culver {

// A time as a file system keeps it.
struct FileTime {
    std::int64_t seconds = 0, nanoseconds = 0;  // since 1970

    bool operator==(const FileTime&) const = default;
    // File systems count in steps (2 s on the coarsest, a tick of 10 ms on most): a change that is no older than a step
    // may be followed by another one with the same time. A time in the future is not older than anything.
    bool is_older_than(std::chrono::nanoseconds age) const;
};

// Which file a name means, and which state of it: as long as the stamp is equal, what was read of it holds good. The
// default is the stamp of no file.
struct FileStamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = -1;
    FileTime mtime;

    FileStamp() = default;
    explicit FileStamp(const struct ::stat& file);
    // One stat(2), symlinks followed; one fstat(2). Of any kind of file. Nothing: errno says why.
    static std::optional<FileStamp> of_path(const std::string& path);
    static std::optional<FileStamp> of_fd(int fd);

    bool operator==(const FileStamp&) const = default;
    // The same file, perhaps written to meanwhile; its name may lead to another one now.
    bool is_same_file(const FileStamp& other) const { return device == other.device && inode == other.inode; }
};

// Reads a regular file of at most `limit` bytes. Refuses FIFOs and devices (a FIFO in a Maildir must not hang anybody).
Result<std::string> read_file(const std::string& path, std::size_t limit = 64 << 20);

// Writes all of `data` to `fd` at its current position, however many write(2) calls it takes.
Status write_all(int fd, std::string_view data, std::string_view what);

// Replaces `path` with `data`: tmp file beside it, fsync, rename, fsync of the directory. Mode as given.
Status replace_file(const std::string& path, std::string_view data, unsigned mode, bool sync = true);

// fsync(2) of a directory, so that names created or renamed in it survive a power cut.
Status sync_directory(const std::string& path);

}  // namespace culver
