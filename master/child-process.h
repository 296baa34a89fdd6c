// Starting one service process with everything it inherits (lib-service/service.h).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-service/kept-worker.h"
#include "lib-service/listener-line.h"

namespace culver {

struct ChildStart {
    std::string service;
    std::vector<std::string> command;             // absolute path of the program, then its arguments
    std::vector<std::string> environment;         // NAME=value, without the CULVER_ variables
    std::vector<ListenerLine> listeners;          // fd: the master's
    std::vector<const KeptWorker*> kept_workers;  // of an earlier process of the service
    int settings_fd = -1, log_fd = -1, error_fd = -1;
};

struct ChildProcess {
    pid_t pid = 0;
    UniqueFd control;  // SOCK_SEQPACKET, non-blocking
};
Result<ChildProcess> start_child(const ChildStart& start);

}  // namespace culver
