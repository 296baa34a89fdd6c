// WorkerPool: a root dispatcher's workers, each one uid for ever. Used by imapd and lmtpd.
//
// A worker is the same program started again with `--worker`, after its uid, gid, groups were set, capabilities dropped
// and NoNewPrivs set; it holds a SOCK_SEQPACKET channel to its dispatcher (WorkerChannel) and nothing of another user.
// Without root every worker runs as the user who started the server. The pool runs on the dispatcher's EventLoop.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
#include "lib-net/socket.h"
#include "lib-service/service.h"

namespace culver {

struct WorkerIdentity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string chroot;
    bool operator==(const WorkerIdentity&) const = default;
};

struct WorkerPoolOptions {
    std::uint32_t jobs_per_worker = 1000;  // sessions a worker may hold at once
    std::uint32_t worker_limit = 1024;     // workers of all uids together
    std::chrono::seconds idle_time{60};    // a worker without jobs for so long is ended
    bool reuse = true;                     // false: a worker takes one job in its life (service_count = 1)
};

class WorkerPool {
public:
    // `on_message`: what a worker said, e.g. "session ended". `on_exit`: a worker is gone, with all its jobs.
    WorkerPool(Service& service, WorkerPoolOptions options,
               std::function<void(pid_t, std::string_view message)> on_message,
               std::function<void(pid_t, std::string_view reason)> on_exit);
    ~WorkerPool();

    // Gives a job (a message with descriptors) to a worker of that identity with room, starting one if need be.
    // Returns its pid. Errors: Limit when worker_limit is reached, NoPermission for uid 0, and for a uid or gid
    // outside first_valid_uid..last_valid_uid, first_valid_gid..last_valid_gid (the detail names the setting to
    // change).
    Result<pid_t> assign(const WorkerIdentity& identity, std::string_view message, std::span<const int> fds);
    // The job given to `pid` is finished; it has room for another.
    void job_done(pid_t pid);
    // To every worker: new settings, or "stop".
    void reload();
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The worker's end.
class WorkerChannel {
public:
    // In a process started with --worker; takes over settings, log and channel from the environment.
    static Result<std::unique_ptr<WorkerChannel>> take_over(const std::string& protocol);
    ~WorkerChannel();
    int fd() const;  // readable when a message waits; for an epoll set
    std::shared_ptr<const Settings> settings() const;
    struct Message {
        enum class Kind { Job, Reload, Stop, Closed } kind;
        std::string bytes;
        std::vector<UniqueFd> fds;
    };
    Result<Message> receive();              // blocks; Closed when the dispatcher died: finish what runs and exit
    Status send(std::string_view message);  // from any thread

private:
    WorkerChannel();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
