// The forked side of HelperProcesses: the supervisor, and the loop of a helper.
#pragma once

#include <vector>

#include "authd/helper-processes.h"

namespace culver {

// First byte of an answer: whether the helper takes another question.
constexpr char kHelperStays = 'k', kHelperEnds = 'e';

// Never returns. Closes every descriptor but standard input, output, error and these two.
[[noreturn]] void supervise_helpers(int channel, int lifeline, const std::vector<HelperKind>& kinds);

}  // namespace culver
