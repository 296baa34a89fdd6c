// Talking to the running master from outside: stop and reload, for `dovecot` and `doveadm`.
#pragma once

#include <sys/types.h>

#include <string>

#include "lib-base/result.h"

namespace culver {

// The pid in base_dir/master.pid if that process lives. NotFound: "Dovecot is not running (read from <path>)".
Result<pid_t> find_master(const std::string& base_dir);

// Asks the master to end and waits until it has, for at most 15 seconds (then Timeout).
Status stop_master(const std::string& base_dir);
// Asks it to read its configuration again.
Status reload_master(const std::string& base_dir);

}  // namespace culver
