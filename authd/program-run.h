// Runs one program with a checkpassword program's descriptors, in a process that may wait for it.
#pragma once

#include <chrono>

#include "lib-auth/program-runner.h"

namespace culver {

struct ProgramLimits {
    std::chrono::milliseconds time{60'000};
    std::size_t output = 16 * 1024;
    std::size_t errors = 4 * 1024;  // what is beyond is thrown away
};

// Descriptors 0 and 1 are /dev/null, 2 is captured, 3 gives the input, 4 takes the answer, others are closed; signals
// are as by default. The program has a session of its own; when it breaks a limit, the whole group is killed. Blocks.
// For processes with one thread.
ProgramResult run_program(const ProgramCall& call, const ProgramLimits& limits);

}  // namespace culver
