// KeptWorker: a worker whose channel the master keeps too, so that it outlives its dispatcher: the dispatcher that is
// started next takes it over (docs/processes.md).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"

namespace culver {

struct KeptWorker {
    pid_t pid = 0;
    std::string about;  // what the dispatcher wrote to its successor
    UniqueFd channel;   // the dispatcher's end
    UniqueFd pidfd;
};

// pid TAB channel TAB pidfd TAB about (tab-escaped). The descriptors are numbers in the writer's process.
struct KeptWorkerLine {
    pid_t pid = 0;
    int channel = -1, pidfd = -1;
    std::string about;

    static KeptWorkerLine of(const KeptWorker& worker);
    std::string to_line() const;  // without a line end
    static std::optional<KeptWorkerLine> parse(std::string_view line);
};

}  // namespace culver
