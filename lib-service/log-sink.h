// Where log lines end up: syslog, files or standard error, as log_path, info_log_path and debug_log_path say.
//
// The lines are those that readers of Dovecot's log know (docs/logging.md):
//   syslog  imap-login: Login: user=<bob>, ...            the level word stands there from Warning up and for Debug
//   file    Nov 20 12:00:00 imap-login: Info: Login: user=<bob>, ...
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "lib-base/log.h"
#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"

namespace culver {

struct LogTargets {
    std::string log_path = "syslog", info_log_path, debug_log_path;  // empty: as the one before it
    std::string timestamp = "%b %d %H:%M:%S ";
    std::string facility = "mail";
    std::string syslog_tag = "dovecot";
    std::string syslog_socket = "/dev/log";
    static LogTargets from(const Settings& settings);
};

// `line` with the level word behind its prefix ("imap-login: Info: Login..."), as files and, but for Info, syslog have
// it.
std::string line_with_level(LogLevel level, std::string_view line);

class LogWriter {
public:
    // Opens the files. An Error names the file that cannot be opened.
    static Result<std::unique_ptr<LogWriter>> open(const LogTargets& targets);
    ~LogWriter();
    void write(LogLevel level, std::string_view line);
    // After a log rotation: files are opened anew; one that cannot be is written on as it was.
    void reopen();

private:
    LogWriter();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// For programs that are not started by the master (dovecot-lda, tools): lines of this process go where the settings
// say; to standard error when that cannot be opened, with one line that says so.
void log_to_configured_targets(const Settings& settings);

}  // namespace culver
