#include "lib-service/master-control.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-base/unique-fd.h"

namespace culver {
namespace {

constexpr int kStopPatienceMilliseconds = 15000;

// A pid file outlives a crash, and its number may belong to somebody else by now, or to a process that is dead but not
// yet waited for. /proc/<pid>/stat: "26072 (dovecot) S ...".
bool is_dovecot(pid_t pid) {
    auto text = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    if (!text) return false;
    const auto end = text->rfind(") ");
    if (end == std::string::npos || text->find("(dovecot)") == std::string::npos) return false;
    const char state = end + 2 < text->size() ? (*text)[end + 2] : 'X';
    return state != 'Z' && state != 'X';
}

Status signal_master(pid_t pid, int number) {
    if (::kill(pid, number) != 0) return fail_errno(fmt::format("kill({}, {})", pid, number));
    return {};
}

}  // namespace

Result<pid_t> find_master(const std::string& base_dir) {
    const std::string path = base_dir + "/master.pid";
    auto text = read_file(path, 64);
    if (!text && text.error().code != ErrorCode::NotFound) return fail(text.error());
    auto pid = text ? parse_uint32(trim(std::string_view(*text).substr(0, text->find('\n')))) : std::nullopt;
    if (!pid || *pid == 0 || !is_dovecot(static_cast<pid_t>(*pid)))
        return fail(ErrorCode::NotFound, "Dovecot is not running (read from " + path + ")");
    return static_cast<pid_t>(*pid);
}

Status stop_master(const std::string& base_dir) {
    const pid_t pid = TRY(find_master(base_dir));
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    TRY(signal_master(pid, SIGTERM));
    pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    const int rc = ::poll(&entry, 1, kStopPatienceMilliseconds);
    if (rc == 0) return fail(ErrorCode::Timeout, fmt::format("Dovecot (pid {}) has not ended after 15 seconds", pid));
    return {};
}

Status reload_master(const std::string& base_dir) { return signal_master(TRY(find_master(base_dir)), SIGHUP); }

}  // namespace culver
