// HandoverClient: gives logged-in connections to the mail process (base_dir/login/<protocol>).
//
// One connection that is kept, many handovers at once; replies come in their order. One thread.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "lib-net/event-loop.h"
#include "lib-service/login-handover.h"

namespace culver {

class HandoverClient {
public:
    using Callback = std::function<void(const HandoverReply&)>;

    HandoverClient(EventLoop& loop, std::string socket_path) : loop_(loop), path_(std::move(socket_path)) {}
    ~HandoverClient();

    // `fd` stays the caller's and must stay open until the callback. When the mail process cannot be reached or dies,
    // the reply is FAIL unavailable. The callback is never called from inside this function.
    void hand_over(const LoginHandover& handover, int fd, Callback callback);
    bool is_idle() const { return sent_.empty() && queue_.empty(); }

private:
    struct Job {
        std::string bytes;
        int fd;
        Callback callback;
    };
    Status connect();
    void flush();
    void wait_for_room(bool waiting);
    void read_replies();
    void lost(const std::string& why);

    EventLoop& loop_;
    std::string path_;
    UniqueFd socket_;
    std::deque<Job> queue_;      // to be sent
    std::deque<Callback> sent_;  // waiting for their replies
    std::string input_;
    bool waiting_ = false;  // for the socket to become writable
};

}  // namespace culver
