// imap-tool MAILDIR: an IMAP server for one Maildir on a free port of 127.0.0.1, without login: each connection is a
// session of that user that has logged in. Prints the port; ends when its standard input is closed. For tests that
// compare what sessions answer (tests/protocol/structure-compare.py).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "imapd/session-pool.h"
#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-storage/mail-user.h"

using namespace culver;

namespace {

std::shared_ptr<const Settings> settings_for(const std::string& maildir) {
    char path[] = "/tmp/culver-imap-tool-XXXXXX";
    const int fd = ::mkstemp(path);
    const std::string text =
        "mail_location = maildir:" + maildir + "\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n";
    (void)!::write(fd, text.data(), text.size());
    ::close(fd);
    LoadOptions options;
    options.path = path;
    auto loaded = load_settings(options);
    ::unlink(path);
    for (const Diagnostic& diagnostic : loaded.diagnostics) std::fprintf(stderr, "%s\n", diagnostic.text.c_str());
    return loaded.settings;
}

int listen_anywhere(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 16) != 0) std::exit(EXIT_FAILURE);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return EXIT_FAILURE;
    const auto settings = settings_for(argv[1]);
    if (!settings) return EXIT_FAILURE;
    MailUserIdentity identity;
    identity.username = "tester";
    identity.home = argv[1];
    identity.service = "imap";
    identity.settings = settings;
    MailboxCache mailboxes;
    std::uint16_t port = 0;
    const int listener = listen_anywhere(port);
    std::printf("%u\n", port);
    std::fflush(stdout);
    SessionPool pool(4, [](std::uint64_t) {});
    std::uint64_t id = 0;
    for (;;) {
        pollfd fds[2] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        (void)::poll(fds, 2, 200);
        (void)pool.wake_due();
        if (fds[1].revents != 0) break;
        if (fds[0].revents == 0) continue;
        UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (client.get() < 0) continue;
        SessionStart start;
        start.username = identity.username;
        start.session_id = "test";
        start.tag = "L";
        start.settings = settings;
        start.open_user = [&]() -> Result<std::shared_ptr<MailUser>> {
            auto user = MailUser::open(identity, mailboxes);
            if (!user) return fail(user.error());
            return std::shared_ptr<MailUser>(std::move(*user));
        };
        pool.add(++id, std::move(client), std::move(start));
    }
    mailboxes.flush();
    std::_Exit(EXIT_SUCCESS);
}
