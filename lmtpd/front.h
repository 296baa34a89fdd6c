// The front: the unprivileged process that speaks LMTP with everybody, looks recipients up and hands messages to the
// delivery workers. It owns no mail and runs as default_internal_user.
#pragma once

#include "lib-service/worker-pool.h"

namespace culver {

// Runs until the dispatcher says stop (deliveries under way are finished first) or is gone. Returns the exit status.
int run_front(WorkerChannel& channel);

}  // namespace culver
