// What the dispatcher and its front say to each other: one line of tab-separated words per message, some with a
// descriptor (docs/lmtp.md, "Inside").
//
//   dispatcher to front   front                            the process's task, once
//                         connection <ssl 0|1>      + fd   a client was accepted
//                         channel <request> <pid>   + fd   a way to a worker
//                         refused <request> <text>         none can be had
//   front to dispatcher   worker <request> <uid> <gid> <groups, comma> <chroot>
//                         closed                           a client's connection has ended
//   dispatcher to worker  deliver                   + fd   a way to the front
//   worker to dispatcher  idle                             that way was closed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib-service/worker-pool.h"

namespace culver {

struct WorkerRequest {
    std::uint64_t id = 0;
    WorkerIdentity identity;
    std::string to_line() const;
    static std::optional<WorkerRequest> parse(std::string_view line);
};

struct WorkerRefusal {
    std::uint64_t id = 0;
    std::string text;
    std::string to_line() const;
    static std::optional<WorkerRefusal> parse(std::string_view line);
};

struct WorkerGrant {
    std::uint64_t id = 0;
    pid_t pid = 0;
    std::string to_line() const;
    static std::optional<WorkerGrant> parse(std::string_view line);
};

inline constexpr std::string_view kFrontTask = "front", kDeliverTask = "deliver", kIdleMessage = "idle",
                                  kClosedMessage = "closed", kConnection = "connection";

}  // namespace culver
