// Programs of the admin, run by helper processes: the ProgramRunner of authd.
#pragma once

#include "authd/helper-processes.h"
#include "lib-auth/program-runner.h"

namespace culver {

// The helpers that run programs. `prepare` makes them the auth service's user; HelperKind.
HelperKind program_helpers(std::function<bool()> prepare, std::size_t at_once);

class HelperProgramRunner final : public ProgramRunner {
public:
    // `kind` is the place of program_helpers() among the kinds of `helpers`, which outlives this.
    HelperProgramRunner(HelperProcesses& helpers, std::size_t kind) : helpers_(helpers), kind_(kind) {}
    Result<ProgramResult> run(const ProgramCall& call) override;

private:
    HelperProcesses& helpers_;
    const std::size_t kind_;
};

}  // namespace culver
