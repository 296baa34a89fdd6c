// FileLock: a lock of the kernel (flock) on a file of its own; gone with the process that held it.
#pragma once

#include <chrono>
#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class FileLock {
public:
    // Opens or makes the file.
    Status open(const std::string& path, unsigned mode);
    bool is_open() const { return static_cast<bool>(fd_); }
    // Waits up to `patience`, then InUse. Takes notice when the file was replaced by another meanwhile.
    Status acquire(std::chrono::milliseconds patience = std::chrono::seconds(60));
    void release();
    // Another file (or none) has the name now.
    bool is_replaced() const;

private:
    UniqueFd fd_;
    std::string path_;
    unsigned mode_ = 0600;
};

}  // namespace culver
