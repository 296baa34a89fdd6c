// What a process was given by the one that started it: descriptors named in the environment, settings in a memfd, a
// channel for log lines. Shared by Service (master to service) and WorkerChannel (dispatcher to worker).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib-base/log.h"
#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"

namespace culver {

// The variables of the environment that carry descriptors (docs/processes.md).
inline constexpr char kSettingsFdVariable[] = "CULVER_SETTINGS_FD";
inline constexpr char kLogFdVariable[] = "CULVER_LOG_FD";
inline constexpr char kControlFdVariable[] = "CULVER_CONTROL_FD";
inline constexpr char kChannelFdVariable[] = "CULVER_CHANNEL_FD";
inline constexpr char kListenersVariable[] = "CULVER_LISTENERS";
inline constexpr char kKeptWorkersFdVariable[] = "CULVER_KEPT_WORKERS_FD";
inline constexpr char kServiceVariable[] = "CULVER_SERVICE";

// Takes over the descriptor that the environment variable names: close-on-exec again, the variable is removed.
Result<UniqueFd> inherited_fd(const char* variable);

// Bytes in a sealed memfd: whoever inherits it reads them, nobody can change them.
Result<UniqueFd> make_memfd(std::string_view bytes);
Result<std::string> read_memfd(int fd);
Result<std::shared_ptr<const Settings>> read_settings_memfd(int fd, const std::string& protocol);

// The level's byte on the log socket and back: 'D', 'I', 'W', 'E', 'F', 'P'.
char log_level_byte(LogLevel level);
LogLevel log_level_from_byte(char byte);
// Log lines of this process go to that socket from here on, one record each.
void log_to_master(UniqueFd log_socket);
// The socket of log_to_master, for a child; -1 before.
int service_log_fd();

// The arguments or the environment as execve(2) wants them; good while `strings` stays as it is.
std::vector<char*> exec_pointers(std::vector<std::string>& strings);

// Makes a descriptor survive the exec of a child; call in the child only.
void keep_on_exec(int fd);

// Whether this build runs under a sanitizer, which neither RLIMIT_AS nor seccomp may restrain.
bool is_sanitized_build();

}  // namespace culver
