#include "lib-service/inheritance.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "lib-base/file.h"
#include "lib-base/text.h"

namespace culver {

Result<UniqueFd> inherited_fd(const char* variable) {
    const char* text = ::getenv(variable);
    if (!text)
        return fail(ErrorCode::InvalidArgument,
                    std::string(variable) + " is not set: this program is started by dovecot");
    auto number = parse_uint32(text);
    ::unsetenv(variable);
    if (!number || ::fcntl(static_cast<int>(*number), F_SETFD, FD_CLOEXEC) != 0)
        return fail(ErrorCode::InvalidArgument, std::string(variable) + " names no open descriptor");
    return UniqueFd(static_cast<int>(*number));
}

Result<UniqueFd> make_memfd(std::string_view bytes) {
    UniqueFd fd(::memfd_create("settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) return fail_errno("memfd_create");
    TRY(write_all(fd.get(), bytes, "settings memfd"));
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return fail_errno("fcntl(F_ADD_SEALS)");
    return fd;
}

Result<std::string> read_memfd(int fd) {
    struct stat st;
    if (::fstat(fd, &st) != 0) return fail_errno("fstat(settings)");
    std::string bytes(static_cast<std::size_t>(st.st_size), '\0');
    // pread: the position is shared with every other process that inherited the descriptor.
    for (std::size_t done = 0; done < bytes.size();) {
        ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("pread(settings)");
        if (n == 0) return fail(ErrorCode::Corrupt, "the settings end early");
        done += static_cast<std::size_t>(n);
    }
    return bytes;
}

Result<std::shared_ptr<const Settings>> read_settings_memfd(int fd, const std::string& protocol) {
    const std::string bytes = TRY(read_memfd(fd));
    auto settings = TRY(Settings::deserialize(bytes));
    return protocol.empty() ? settings
                            : settings->for_filter({.protocol = protocol, .local_name = {}, .local = {}, .remote = {}});
}

char log_level_byte(LogLevel level) { return log_level_name(level).front(); }

LogLevel log_level_from_byte(char byte) {
    switch (byte) {
        case 'D': return LogLevel::Debug;
        case 'I': return LogLevel::Info;
        case 'W': return LogLevel::Warning;
        case 'F': return LogLevel::Fatal;
        case 'P': return LogLevel::Panic;
        default: return LogLevel::Error;
    }
}

namespace {
int log_fd = -1;  // open for the life of the process
}

int service_log_fd() { return log_fd; }

void log_to_master(UniqueFd log_socket) {
    log_fd = log_socket.release();
    set_log_sink([](LogLevel level, std::string_view line) {
        std::string record(1, log_level_byte(level));
        record += line;
        while (::send(log_fd, record.data(), record.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    });
}

std::vector<char*> exec_pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

void keep_on_exec(int fd) { ::fcntl(fd, F_SETFD, 0); }

bool is_sanitized_build() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

}  // namespace culver
