// The daemon skeleton: what the master hands to a service process, privileges, reload, stop.
//
// The master starts libexec/<executable> with inherited descriptors, named in the environment:
//   CULVER_SETTINGS_FD  a memfd with Settings::serialize() (secrets only for the services that need them)
//   CULVER_LOG_FD       a SOCK_SEQPACKET socket to the master: one byte level ('D','I','W','E','F','P') + line
//   CULVER_CONTROL_FD   a SOCK_SEQPACKET pair to the master: READY, KEEP, FORGET up; LISTEN, UNLISTEN (listeners that
//                       came and went), RELOAD (with a new settings memfd), RETIRE, STOP down (docs/processes.md)
//   CULVER_LISTENERS    one line per inherited listener: fd TAB kind TAB name TAB port TAB ssl
//   CULVER_KEPT_WORKERS_FD  a memfd with a line per worker that an earlier process of this service has left behind
//   CULVER_SERVICE      the service's name
// All descriptors are close-on-exec again once taken over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
#include "lib-service/kept-worker.h"

namespace culver {

struct InheritedListener {
    UniqueFd fd;  // listening, non-blocking
    ListenerKind kind = ListenerKind::Unix;
    std::string name;  // as in ListenerSettings
    std::uint16_t port = 0;
    bool ssl = false;
};

class Service {
public:
    // Takes over what the master handed down; logs go to the master from here on. `protocol` selects the settings view.
    static Result<std::unique_ptr<Service>> take_over(const std::string& protocol);
    ~Service();

    const std::string& name() const;
    EventLoop& loop();
    // The current settings (they change on reload), filtered for the service's protocol.
    std::shared_ptr<const Settings> settings() const;
    std::vector<InheritedListener>& listeners();
    // Watches every listener, those of later reloads included, and calls `on_ready` when a connection waits (or, for a
    // FIFO, bytes). The reference is good during the call only. Use this or watch listeners() yourself, not both.
    void watch_listeners(std::function<void(InheritedListener&)> on_ready);
    // Stops and resumes watching, for a service that has as many connections as it may.
    void pause_listeners(bool paused);
    // base_dir + "/" + relative, or the absolute path as it is; as seen from the chroot once drop_privileges entered
    // it.
    std::string socket_path(const std::string& path) const;
    // True when the whole server runs without root: then nothing is chrooted and no uid changes.
    bool is_unprivileged() const;

    // Becomes service { user, group, extra_groups, chroot } for ever; sets NoNewPrivs and drops all capabilities,
    // limits the memory to vsz_limit. Without root only the last two. A service whose user is root keeps its
    // capabilities.
    Status drop_privileges();

    // Called on the loop's thread after settings() has changed.
    void on_reload(std::function<void()> callback);
    // Called once, with the listeners closed already, when the master asks to stop (or died, or SIGTERM came); the
    // service finishes its work and then calls loop().stop(). Without one, the loop is stopped at once.
    void on_stop(std::function<void()> callback);

    // Called once, with the listeners closed already, when a successor with other settings takes over: the service
    // finishes what it serves, however long that takes, and then calls loop().stop(). Without one: as on_stop.
    void on_retire(std::function<void()> callback);

    // Asks the master to keep a worker's channel beyond the death of this process, or to forget it again. `about` is
    // for the next process of this service, which finds the worker in take_kept_workers().
    Status keep_worker(const KeptWorker& worker);
    void forget_worker(pid_t pid);
    std::vector<KeptWorker> take_kept_workers();

    // Tells the master that the service works (a service that dies before is restarted more slowly), then runs the
    // loop.
    int run();

private:
    Service();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
