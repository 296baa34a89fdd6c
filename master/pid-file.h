// base_dir/master.pid: the pid of the running master, and the lock that tells whether it lives.
#pragma once

#include <sys/types.h>

#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class PidFile {
public:
    // Locks base_dir/master.pid and writes nothing yet. InUse: a server is running (text as Dovecot's).
    static Result<PidFile> acquire(const std::string& base_dir);
    Status write_own_pid();
    // Removes the file; call when the server ends.
    void remove();

private:
    std::string path_;
    UniqueFd fd_;  // carries an flock(2), shared with the process that daemonised
};

}  // namespace culver
