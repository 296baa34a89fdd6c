// WorkerIdentity: who a worker is on this machine, for ever.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

struct WorkerIdentity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string chroot;
    bool operator==(const WorkerIdentity&) const = default;

    // uid TAB gid TAB groups (commas between) TAB chroot (tab-escaped)
    std::string to_words() const;
    static std::optional<WorkerIdentity> parse(std::string_view words);
};

}  // namespace culver
