// Starting one worker: fork, become its user, exec the own program with --worker.
#pragma once

#include <sys/types.h>

#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-service/privileges.h"

namespace culver {

struct WorkerStart {
    std::string executable;  // of this process
    std::string service;     // for CULVER_SERVICE
    PrivilegeTarget target;
    bool change_user = false;  // false: run as this process's user
    std::uint64_t memory_limit = 0;
    int settings_fd = -1, log_fd = -1;
};

struct WorkerProcess {
    pid_t pid = 0;
    UniqueFd channel;  // SOCK_SEQPACKET, non-blocking
    UniqueFd pidfd;    // readable when it has ended
};
Result<WorkerProcess> start_worker(const WorkerStart& start);

// "exited with status 3" or "killed by signal 11 (Segmentation fault)"; takes the status of waitpid.
std::string describe_exit(int wait_status);

// The path of this program's executable.
Result<std::string> own_executable();

}  // namespace culver
