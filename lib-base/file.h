// Whole-file reads and durable writes. Paths are absolute unless said otherwise.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

// Reads a regular file of at most `limit` bytes. Refuses FIFOs and devices (a FIFO in a Maildir must not hang anybody).
Result<std::string> read_file(const std::string& path, std::size_t limit = 64 << 20);

// Writes all of `data` to `fd` at its current position, however many write(2) calls it takes.
Status write_all(int fd, std::string_view data, std::string_view what);

// Replaces `path` with `data`: tmp file beside it, fsync, rename, fsync of the directory. Mode as given.
Status replace_file(const std::string& path, std::string_view data, unsigned mode, bool sync = true);

// fsync(2) of a directory, so that names created or renamed in it survive a power cut.
Status sync_directory(const std::string& path);

}  // namespace culver
