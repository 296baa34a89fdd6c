// ListLock: one process and thread at a time changes the folders and subscriptions of a mail location.
#pragma once

#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-storage/list/directory-tree.h"

namespace culver {

// flock(2) on culver.list.lock in the control root; the kernel drops it when the process dies. The directory must
// exist.
class ListLock {
public:
    // Waits up to ten seconds; InUse after that.
    static Result<ListLock> acquire(const std::string& control_root, const TreeModes& modes);

private:
    explicit ListLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace culver
