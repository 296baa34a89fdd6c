// A process of its own for one of several users: it takes on the user's uid for good and sends its rows to the parent.
#pragma once

#include <functional>

namespace culver::doveadm {

class Invocation;

// Calls `work` in a child whose formatter sends the rows here, where they are printed by `call`'s own. Returns what
// `work` returned; kExitTemporary, with an error line, if the child died.
int run_in_child(Invocation& call, const std::function<int(Invocation&)>& work);

}  // namespace culver::doveadm
