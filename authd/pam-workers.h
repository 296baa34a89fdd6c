// PAM and /etc/shadow, asked by helper processes: the PamBackend of authd.
#pragma once

#include "authd/helper-processes.h"
#include "lib-auth/passdb.h"

namespace culver {

// The helpers that run PAM. `prepare` makes them service auth-worker's user, root as a rule; HelperKind.
HelperKind pam_helpers(std::function<bool()> prepare, std::size_t at_once);

class PamWorkers final : public PamBackend {
public:
    // `kind` is the place of pam_helpers() among the kinds of `helpers`, which outlives this.
    PamWorkers(HelperProcesses& helpers, std::size_t kind) : helpers_(helpers), kind_(kind) {}
    // Thread-safe; blocks up to a minute. Unavailable: a module hung or died, or no worker could be started.
    Result<PamAnswer> authenticate(const PamCall& call) override;

private:
    HelperProcesses& helpers_;
    const std::size_t kind_;
};

}  // namespace culver
