// DotLock: a lock file as Dovecot makes and honours it: created exclusively, holding "<pid>:<host>".
//
// A lock left behind by a crash is recognised by its process being gone, by being older than the last boot, or by being
// empty (a power cut leaves zero-length files): nobody waits for it.
#pragma once

#include <chrono>
#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class DotLock {
public:
    DotLock() = default;
    DotLock(const DotLock&) = delete;
    DotLock& operator=(const DotLock&) = delete;
    ~DotLock() { release(); }

    // Waits up to `patience`; then InUse. The lock is a second name of `anchor`, a file that stays: a lock that is made
    // and removed for each delivery would otherwise cost a new inode each time, and ext4 passes over every inode freed
    // in the last half minute when it looks for one.
    Status acquire(const std::string& path, const std::string& anchor, const std::string& hostname,
                   std::chrono::milliseconds patience = std::chrono::seconds(60));
    void release();

private:
    enum class Taken { Yes, No, Unable };
    Taken link_anchor(const std::string& path, const std::string& anchor, const std::string& owner);
    Result<bool> create(const std::string& path, const std::string& owner);

    std::string path_;
    UniqueFd anchor_;  // kept open between locks
};

}  // namespace culver
