// The other end of a connection to AuthServer, for whole dialogues in tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "authd/server.h"
#include "lib-base/text.h"

namespace culver {

class Peer {
public:
    // A line that has to come is waited for as long as a busy machine may take.
    static constexpr int kPatience = 60'000;

    explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

    // A new connection, which the server serves as soon as `loop` runs.
    static Peer connect(EventLoop& loop, AuthServer& server, AuthProtocol protocol, UserDbRights rights = {}) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        EXPECT_TRUE(set_blocking(fds[1], Blocking::No));
        loop.post([&server, fd = fds[1], protocol, rights] { server.serve(UniqueFd(fd), protocol, rights); });
        return Peer(UniqueFd(fds[0]));
    }

    void send(const std::string& text) {
        ASSERT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
    }
    // The next line; "(closed)" at the end, "(nothing)" when none comes in time.
    std::string line(int milliseconds = kPatience) {
        while (buffer_.find('\n') == buffer_.npos) {
            pollfd ready{fd_.get(), POLLIN, 0};
            if (::poll(&ready, 1, milliseconds) <= 0) return "(nothing)";
            char bytes[4096];
            ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
            if (n <= 0) return "(closed)";
            buffer_.append(bytes, std::size_t(n));
        }
        std::string out = buffer_.substr(0, buffer_.find('\n'));
        buffer_.erase(0, out.size() + 1);
        return out;
    }
    // Reads until a line that begins like this has come, and returns it; or what line() says instead of one.
    std::string line_beginning(std::string_view begin) {
        std::string next = line();
        while (!next.starts_with(begin) && next[0] != '(') next = line();
        return next;
    }
    // Whether that many lines come.
    bool has_lines(int count) {
        while (count > 0 && line()[0] != '(') --count;
        return count == 0;
    }
    std::string ask(const std::string& text) {
        send(text + "\n");
        return line();
    }
    // An AUTH without waiting for its answer.
    void log_in(int id, const std::string& address, const std::string& user, const std::string& password);
    void shut() { fd_.reset(); }

private:
    UniqueFd fd_;
    std::string buffer_;
};

// The message of PLAIN (RFC 4616), in base64.
inline std::string plain(std::string_view user, std::string_view password) {
    return base64_encode(fmt::format("{0}{1}{0}{2}", '\0', user, password));
}

inline void Peer::log_in(int id, const std::string& address, const std::string& user, const std::string& password) {
    send(fmt::format("AUTH\t{}\tPLAIN\tservice=imap\trip={}\tresp={}\n", id, address, plain(user, password)));
}

// Waits until it is so; false if it is not even after Peer::kPatience.
template <typename Condition>
bool becomes_true(Condition condition) {
    for (int i = 0; i < Peer::kPatience / 10; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
}

}  // namespace culver
