// Logging: one line per event, in the words that readers of Dovecot's log know.
//
// A process picks its sink once at start (lib-service for daemons, the program itself for tools). Lines are
// `prefix` + text; the level word ("Error: ") is added by the sink as Dovecot does. Control bytes in a line are
// replaced by '?', a line is cut at 8 KiB, so nothing that came from the network can forge or flood a log line.
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace culver {

enum class LogLevel { Debug, Info, Warning, Error, Fatal, Panic };

// "Debug", "Info", "Warning", "Error", "Fatal", "Panic".
std::string_view log_level_name(LogLevel level);

// Takes a level and the complete line (prefix included, cleaned). Called from any thread, one call at a time.
using LogSink = std::function<void(LogLevel, std::string_view line)>;

// Replaces the sink of this process; before the first call lines go to standard error.
void set_log_sink(LogSink sink);
// What stands before each line of this process, e.g. "imap-login: ". A LogPrefix on the thread takes its place.
void set_log_prefix(std::string prefix);
// Debug lines are dropped unless enabled (mail_debug, auth_debug, log_debug).
void set_log_debug(bool enabled);
bool log_debug_enabled();

// While it lives, lines of this thread carry `prefix` instead of the process's, e.g. "imap(bob)<12><abc>: ".
class LogPrefix {
public:
    explicit LogPrefix(std::string prefix);
    ~LogPrefix();
    LogPrefix(const LogPrefix&) = delete;
    LogPrefix& operator=(const LogPrefix&) = delete;

private:
    std::string saved_;
};

void log_line(LogLevel level, std::string_view text);
inline void log_info(std::string_view text) { log_line(LogLevel::Info, text); }
inline void log_warning(std::string_view text) { log_line(LogLevel::Warning, text); }
inline void log_error(std::string_view text) { log_line(LogLevel::Error, text); }
inline void log_debug(std::string_view text) {
    if (log_debug_enabled()) log_line(LogLevel::Debug, text);
}

}  // namespace culver
