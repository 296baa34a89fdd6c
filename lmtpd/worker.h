// The delivery worker: one uid for ever, several threads, so that deliveries that come together share their fsyncs.
#pragma once

#include "lib-service/worker-pool.h"

namespace culver {

// Takes the channels that the dispatcher hands it, the first one from `first`, and delivers what comes over them.
// Returns when told to stop, after the deliveries under way.
int run_worker(WorkerChannel& dispatcher, WorkerChannel::Message first);

}  // namespace culver
