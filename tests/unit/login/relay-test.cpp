#include "login/core/relay.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "lib-net/socket.h"

namespace culver {
namespace {

// Two socket pairs: the relay has one end of each, the test the other ones.
struct Wires {
    EventLoop loop;
    UniqueFd client, server;
    std::unique_ptr<Relay> relay;

    explicit Wires(std::chrono::milliseconds linger = {}) {
        auto [ours, theirs] = std::move(*socket_pair(SOCK_STREAM, Blocking::No));
        auto [back, front] = std::move(*socket_pair(SOCK_STREAM, Blocking::No));
        client = std::move(ours);
        server = std::move(back);
        relay = std::make_unique<Relay>(
            loop, RelayEnd{std::move(theirs)}, RelayEnd{std::move(front)}, [this](Relay&) { loop.stop(); }, linger);
    }
    // Lets the loop do what there is to do now.
    void turn() {
        loop.after(std::chrono::milliseconds(20), [this] { loop.stop(); });
        loop.run();
    }
};

void say(const UniqueFd& fd, std::string_view text) {
    ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

std::string hear(const UniqueFd& fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
        text.append(buffer, static_cast<std::size_t>(n));
    return text;
}

TEST(Relay, SendsFirstWhatWasReadBeforeAndThenBothWays) {
    Wires wires;
    say(wires.client, "more");
    wires.relay->start("welcome ", "early ");
    EXPECT_EQ(hear(wires.server), "early more");
    say(wires.server, "back");
    wires.turn();
    EXPECT_EQ(hear(wires.client), "welcome back");
    EXPECT_EQ(wires.relay->bytes_to_client(), 12u);
    EXPECT_EQ(wires.relay->bytes_to_server(), 10u);
}

TEST(Relay, AHalfClosedClientStillGetsTheLastAnswers) {
    Wires wires;
    wires.relay->start();
    say(wires.client, "bye");
    ::shutdown(wires.client.get(), SHUT_WR);
    wires.turn();
    EXPECT_EQ(hear(wires.server), "bye");
    char byte;
    EXPECT_EQ(::recv(wires.server.get(), &byte, 1, MSG_DONTWAIT), 0);  // it sees the end
    say(wires.server, "farewell");
    wires.server.reset();
    wires.loop.run();
    EXPECT_EQ(hear(wires.client), "farewell");
    EXPECT_EQ(wires.relay->ending(), Relay::Ending::ByClient);
}

TEST(Relay, AServerThatClosesEndsBoth) {
    Wires wires;
    wires.relay->start();
    say(wires.server, "last");
    wires.server.reset();
    wires.loop.run();
    EXPECT_EQ(hear(wires.client), "last");
    EXPECT_EQ(wires.relay->ending(), Relay::Ending::ByServer);
    EXPECT_EQ(wires.relay->error(), "");
}

TEST(Relay, ALingeringServerIsLeftAfterAWhile) {
    Wires wires(std::chrono::milliseconds(10));
    wires.relay->start();
    ::shutdown(wires.client.get(), SHUT_WR);
    wires.loop.run();  // ends by itself
    EXPECT_EQ(wires.relay->ending(), Relay::Ending::ByClient);
}

TEST(Relay, AClientThatDoesNotReadStopsTheServerAndLosesNothing) {
    Wires wires;
    wires.relay->start();
    const std::string block(60'000, 'x');
    std::size_t said = 0, heard = 0;
    for (bool goes = true; goes;) {
        goes = false;
        for (ssize_t n;
             (n = ::send(wires.server.get(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;) {
            said += static_cast<std::size_t>(n);
            goes = true;
        }
        wires.turn();
    }
    ASSERT_GT(said, block.size());  // and nothing more is taken
    for (int i = 0; i < 1000 && heard < said; ++i) {
        heard += hear(wires.client).size();
        wires.turn();
    }
    EXPECT_EQ(heard, said);
    EXPECT_EQ(wires.relay->bytes_to_client(), said);
}

TEST(Relay, CloseEndsBothAtOnce) {
    Wires wires;
    wires.relay->start();
    wires.relay->close();
    EXPECT_EQ(wires.relay->ending(), Relay::Ending::Closed);
    char byte;
    EXPECT_EQ(::recv(wires.client.get(), &byte, 1, MSG_DONTWAIT), 0);
    EXPECT_EQ(::recv(wires.server.get(), &byte, 1, MSG_DONTWAIT), 0);
}

}  // namespace
}  // namespace culver
