// What a logged-in client may send: the whole session with all its commands on a mailbox in memory. Nothing may crash,
// hang, or leave the session in a state from which it does not end when the client goes.
#include "imapd/imap-session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-net/socket.h"
#include "tests/unit/imapd/fake-mail.h"

namespace {

std::shared_ptr<const culver::Settings> default_settings() {
    char path[] = "/tmp/culver-fuzz-XXXXXX";
    const int fd = ::mkstemp(path);
    ::close(fd);
    culver::LoadOptions options;
    options.path = path;
    auto settings = culver::load_settings(options).settings;
    ::unlink(path);
    return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace culver;
    static const auto settings = [] {
        set_log_sink([](LogLevel, std::string_view) {});
        return default_settings();
    }();
    if (size > 4096) return 0;  // the answers must fit into the socket, which nobody reads
    auto pair = socket_pair(SOCK_STREAM, Blocking::No);
    if (!pair) return 0;
    const int room = 4 << 20;
    ::setsockopt(pair->second.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    (void)!::send(pair->first.get(), data, size, MSG_NOSIGNAL);
    ::shutdown(pair->first.get(), SHUT_WR);

    auto user = std::make_shared<test::FakeUser>();
    user->inbox->messages = 3;
    SessionStart start;
    start.username = "bob";
    start.session_id = "abc";
    start.tag = "L";
    start.settings = settings;
    start.open_user = [&]() -> Result<std::shared_ptr<MailUser>> { return user; };
    ImapSession session(std::move(pair->second), nullptr, std::move(start), [] {});
    // The input is there as a whole: a session that parks without having ended has forgotten something.
    for (std::size_t turns = 0; turns < size + 10; ++turns) {
        const auto next = session.work();
        if (next == ImapSession::Next::End) return 0;
        if (next == ImapSession::Next::Park && turns > size + 5) __builtin_trap();
    }
    return 0;
}
