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
#include "lib-service/worker-identity.h"

namespace culver {

struct WorkerPoolOptions {
    std::uint32_t jobs_per_worker = 1000;  // sessions a worker may hold at once
    std::uint32_t worker_limit = 1024;     // workers of all uids together
    std::chrono::seconds idle_time{60};    // a worker without jobs for so long is ended
    std::uint32_t jobs_in_life = 0;        // of one worker (service_count); 0: any number
    // Workers outlive a dispatcher that dies: the next one takes them over, and asks each to report its jobs.
    bool outlive_dispatcher = false;
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
    // Asks a worker to end a job before its time; `job` is the service's own word for it.
    void end_job(pid_t pid, std::string_view job);
    // A worker taken over has reported so many jobs.
    void jobs_reported(pid_t pid, std::size_t jobs);
    // To every worker: the service's new settings. Workers whose limits are others now get no further job.
    void reload(WorkerPoolOptions options);
    // No worker gets a further job, also from the next dispatcher, which starts workers of its own.
    void retire();
    // To every worker: stop.
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
        enum class Kind { Job, EndJob, Reload, Report, Stop, Closed } kind;
        std::string bytes;
        std::vector<UniqueFd> fds;
    };
    // Blocks. EndJob: `bytes` says which. Report: a new dispatcher asks what jobs there are. Closed: nobody will send
    // jobs any more, finish what runs and exit.
    Result<Message> receive();
    Status send(std::string_view message);  // from any thread

private:
    WorkerChannel();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
