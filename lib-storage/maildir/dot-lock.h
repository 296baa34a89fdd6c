// DotLock: a lock file as Dovecot makes and honours it: created exclusively, holding "<pid>:<host>".
//
// A lock left behind by a crash is recognised by its process being gone, by being older than the last boot, or by being
// empty (a power cut leaves zero-length files): nobody waits for it.
#pragma once

#include <chrono>
#include <string>

#include "lib-base/result.h"

namespace culver {

class DotLock {
public:
    DotLock() = default;
    DotLock(const DotLock&) = delete;
    DotLock& operator=(const DotLock&) = delete;
    ~DotLock() { release(); }

    // Waits up to `patience`; then InUse.
    Status acquire(const std::string& path, const std::string& hostname,
                   std::chrono::milliseconds patience = std::chrono::seconds(60));
    void release();

private:
    std::string path_;
};

}  // namespace culver
