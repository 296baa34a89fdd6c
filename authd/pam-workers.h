// PamWorkers: the processes that run PAM.
//
// PAM modules block, leak, keep global state and often need root. So authd, before it gives up root and before it has a
// thread, forks a small supervisor; that one forks workers when asked and hands authd one end of a socket to each. A
// worker answers one question at a time, ends after a number of them, and is killed by its own alarm when a module
// hangs. The supervisor and its workers hold no other descriptor of authd and end with it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <vector>

#include "lib-auth/passdb.h"
#include "lib-base/unique-fd.h"

namespace culver {

class PamWorkers final : public PamBackend {
public:
    struct Options {
        std::string user;             // service auth-worker { user }; empty = stay as the process is (root)
        unsigned max_requests = 100;  // per worker
    };
    // Forks; call while the process has one thread.
    static Result<std::unique_ptr<PamWorkers>> start(const Options& options);
    ~PamWorkers() override;

    // Thread-safe; blocks up to a minute. Unavailable: a module hung or died, or no worker could be started.
    Result<PamAnswer> authenticate(const PamCall& call) override;

private:
    PamWorkers() = default;
    Result<UniqueFd> take_worker(bool& fresh);
    void give_back(UniqueFd worker);

    std::mutex mutex_;  // guards channel_ and idle_
    UniqueFd channel_;  // to the supervisor
    std::vector<UniqueFd> idle_;
};

}  // namespace culver
