// AdminSockets: who is logged in, for `doveadm who`, and ending sessions, for `doveadm kick` (docs/processes.md). One
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "imapd/session-list.h"
#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"

namespace culver {

class AdminSockets {
public:
    // `end`: asks a session's worker to end it.
    AdminSockets(EventLoop& loop, const SessionList& sessions, std::function<void(std::uint64_t id, pid_t pid)> end)
        : loop_(loop), sessions_(sessions), end_(std::move(end)) {}
    ~AdminSockets();

    // Takes a connection to that listener; false: it is none of these.
    bool take(std::string_view listener, UniqueFd& peer);

private:
    struct Request {
        UniqueFd peer;
        std::string text;
    };
    void send_list(UniqueFd peer);
    void read_request(int fd);
    std::size_t end_sessions(std::string_view numbers);

    EventLoop& loop_;
    const SessionList& sessions_;
    const std::function<void(std::uint64_t id, pid_t pid)> end_;
    std::unordered_map<int, Request> requests_;
};

}  // namespace culver
