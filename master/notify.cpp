#include "master/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "lib-base/unique-fd.h"

namespace culver {

void notify_service_manager(std::string_view state) {
    const char* path = ::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if (length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::string message = fmt::format("{}\nMAINPID={}", state, ::getpid());
    if (state == "RELOADING=1") {
        timespec now;
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        message += fmt::format("\nMONOTONIC_USEC={}", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
    }
    ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace culver
