// Becoming a daemon: the command returns when the daemon says that it works.
#pragma once

#include <string_view>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class Daemon {
public:
    // Forks. The parent never returns from here: it exits with the code that the child gives to report(), or 89 when
    // the child dies first. The child has a session of its own.
    static Result<Daemon> start();
    // Ends the parent with `exit_code`; standard streams become /dev/null.
    void report(int exit_code);

private:
    UniqueFd pipe_;
};

}  // namespace culver
