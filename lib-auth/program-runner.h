// ProgramRunner: runs a program of the admin for a database (checkpassword), away from authd's own process.
#pragma once

#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

struct ProgramCall {
    std::vector<std::string> words;        // absolute path, then arguments; no word contains a NUL
    std::vector<std::string> environment;  // NAME=value, beside what the server itself was started with
    SecretString input;                    // what the program reads from descriptor 3
};

struct ProgramResult {
    enum class End { Exited, Killed, TimedOut, TooLong, NotStarted } end = End::NotStarted;
    int code = 0;  // Exited: exit status; Killed: signal; NotStarted: errno
    int pid = 0;
    std::string output;  // what it wrote to descriptor 4
    std::string errors;  // the beginning of what it wrote to standard error
};

class ProgramRunner {
public:
    virtual ~ProgramRunner() = default;
    // Thread-safe; blocks for as long as the program runs, a minute at most. An Error: nothing was run.
    virtual Result<ProgramResult> run(const ProgramCall& call) = 0;
};

}  // namespace culver
