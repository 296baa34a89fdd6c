// The unprivileged half of imapd: one process, one uid, many sessions.
#pragma once

namespace culver {

// The whole life of a process started with --worker; its exit code.
int run_worker();

}  // namespace culver
