// What a client may send to authd: bytes in, and the process must stay whole. The first byte picks the socket's
// protocol.
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "authd/auth-line.h"
#include "authd/server.h"
#include "lib-base/log.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static bool quiet = (set_log_sink([](LogLevel, std::string_view) {}), true);
    (void)quiet;
    if (size < 1 || size > 60'000) return 0;
    static EventLoop loop;
    static PasswdFileRegistry files;
    static AuthServer* server = [] {
        auto* made = new AuthServer(loop, DriverContext{&files, nullptr});
        AuthSettings settings;
        settings.mechanisms.clear();
        for (const MechanismSpec& spec : mechanism_specs()) settings.mechanisms.emplace_back(spec.name);
        settings.failure_delay = std::chrono::milliseconds(0);
        PassDbSettings passdb;
        passdb.driver = "static";
        passdb.args = "password=secret";
        settings.passdbs.push_back(passdb);
        if (!made->use_settings(settings)) __builtin_trap();
        return made;
    }();
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return 0;
    static constexpr AuthProtocol kProtocols[] = {AuthProtocol::Client, AuthProtocol::Login, AuthProtocol::Master,
                                                  AuthProtocol::UserDb};
    AuthProtocol protocol = kProtocols[data[0] & 3];
    if (protocol == AuthProtocol::Client || protocol == AuthProtocol::Login)
        (void)!::send(fds[0], "VERSION\t1\t2\nCPID\t7\n", 18, MSG_NOSIGNAL);
    (void)!::send(fds[0], data + 1, size - 1, MSG_NOSIGNAL);
    ::close(fds[0]);
    server->serve(UniqueFd(fds[1]), protocol, {});
    // Slow work of earlier inputs may come back meanwhile; a few rounds of the loop read this one to its end.
    loop.after(std::chrono::milliseconds(0), [] { loop.stop(); });
    loop.run();
    loop.after(std::chrono::milliseconds(0), [] { loop.stop(); });
    loop.run();
    (void)parse_auth_line({reinterpret_cast<const char*>(data), size}, data[0] & 3);
    return 0;
}
