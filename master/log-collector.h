// LogCollector: takes the log lines of all services and writes them where the settings say.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"
#include "lib-service/log-sink.h"

namespace culver {

class LogCollector {
public:
    LogCollector(EventLoop& loop, std::unique_ptr<LogWriter> writer);
    // This process's own lines go the same way from here on.
    void take_own_lines();

    // A log socket for a new child of `service`: the child's end. The other end is read until every copy is closed, so
    // that the last words of a process, and of the workers that inherited it, arrive.
    Result<UniqueFd> log_socket();
    // A pipe for its standard error: each line becomes an error line of that service (a sanitizer's report, for
    // example).
    Result<UniqueFd> error_pipe(const std::string& service);

    void set_writer(std::unique_ptr<LogWriter> writer) { writer_ = std::move(writer); }
    void reopen() { writer_->reopen(); }
    // Reads what has arrived already; before the process ends.
    void drain();

private:
    struct Source {
        UniqueFd fd;
        std::string service;  // standard error only
        std::string partial;
    };
    void read_log_socket(int fd);
    void read_error_pipe(int fd);
    void add(UniqueFd fd, std::string service);
    void remove(int fd);

    EventLoop& loop_;
    std::unique_ptr<LogWriter> writer_;
    std::unordered_map<int, Source> sources_;
};

}  // namespace culver
