#include "lib-net/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <thread>

#include "lib-net/listen.h"

namespace culver {
namespace {

class SocketTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/culver-socket-XXXXXX";
        ASSERT_TRUE(::mkdtemp(name));
        directory_ = name;
    }
    void TearDown() override { [[maybe_unused]] int rc = std::system(("rm -rf " + directory_).c_str()); }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }

    std::string directory_;
};

TEST_F(SocketTest, DescriptorsArriveWithTheBytesAndAreCloseOnExec) {
    auto pair = socket_pair(SOCK_SEQPACKET, Blocking::Yes);
    ASSERT_TRUE(pair);
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    UniqueFd read_end(fds[0]), write_end(fds[1]);
    const int passed[] = {write_end.get()};
    ASSERT_TRUE(send_with_fds(pair->first.get(), "job", passed));
    auto message = receive_with_fds(pair->second.get(), 100);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->bytes, "job");
    ASSERT_EQ(message->fds.size(), 1u);
    EXPECT_TRUE(::fcntl(message->fds[0].get(), F_GETFD) & FD_CLOEXEC);
    ASSERT_EQ(::write(message->fds[0].get(), "x", 1), 1);
    char c;
    EXPECT_EQ(::read(read_end.get(), &c, 1), 1);
}

TEST_F(SocketTest, AClosedPeerIsAnEmptyMessage) {
    auto pair = socket_pair(SOCK_SEQPACKET, Blocking::Yes);
    pair->first.reset();
    auto message = receive_with_fds(pair->second.get(), 100);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->bytes.empty());
}

TEST_F(SocketTest, NothingToReadAndTooMuchToReadAreErrorsOfTheirOwn) {
    auto pair = socket_pair(SOCK_SEQPACKET, Blocking::No);
    auto nothing = receive_with_fds(pair->second.get(), 100);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, ErrorCode::Unavailable);
    ASSERT_TRUE(send_with_fds(pair->first.get(), std::string(101, 'x'), {}));
    auto long_one = receive_with_fds(pair->second.get(), 100);
    ASSERT_FALSE(long_one);
    EXPECT_EQ(long_one.error().code, ErrorCode::Limit);
}

TEST_F(SocketTest, ALargeStreamMessageIsSentCompletely) {
    auto pair = socket_pair(SOCK_STREAM, Blocking::Yes);
    const std::string big(1 << 20, 'b');
    std::size_t received = 0;
    std::thread reader([&] {
        while (received < big.size()) {
            auto message = receive_with_fds(pair->second.get(), 65536);
            if (!message || message->bytes.empty()) return;
            received += message->bytes.size();
        }
    });
    EXPECT_TRUE(send_with_fds(pair->first.get(), big, {}));
    reader.join();
    EXPECT_EQ(received, big.size());
}

TEST_F(SocketTest, AListenerHasItsModeAndAcceptsItsPeer) {
    auto listener = listen_unix(path("s"), {.mode = 0620});
    ASSERT_TRUE(listener) << listener.error().detail;
    struct stat st;
    ASSERT_EQ(::stat(path("s").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0620u);
    auto client = connect_unix(path("s"), Blocking::Yes);
    ASSERT_TRUE(client);
    auto accepted = accept_connection(listener->get());
    ASSERT_TRUE(accepted);
    auto peer = peer_credentials(accepted->fd.get());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->pid, ::getpid());
    EXPECT_EQ(accept_connection(listener->get()).error().code, ErrorCode::Unavailable);
}

TEST_F(SocketTest, AnotherModeOfASocketNeverFollowsALink) {
    auto listener = listen_unix(path("s"), {.mode = 0600});
    ASSERT_TRUE(listener);
    ASSERT_TRUE(set_owner(path("s"), {.mode = 0660}));
    struct stat st;
    ASSERT_EQ(::stat(path("s").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0660u);
    EXPECT_EQ(st.st_uid, ::geteuid());
    ASSERT_EQ(::symlink(path("s").c_str(), path("link").c_str()), 0);
    EXPECT_EQ(set_owner(path("link"), {.mode = 0666}).error().code, ErrorCode::AlreadyExists);
    EXPECT_EQ(set_owner(path("none"), {.mode = 0666}).error().code, ErrorCode::NotFound);
    ASSERT_EQ(::stat(path("s").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0660u);
}

TEST_F(SocketTest, APathLongerThanASocketAddressWorks) {
    std::string deep = directory_;
    for (int i = 0; i < 4; ++i) {
        deep += "/" + std::string(40, 'd');
        ASSERT_EQ(::mkdir(deep.c_str(), 0700), 0);
    }
    auto listener = listen_unix(deep + "/socket", {});
    ASSERT_TRUE(listener) << listener.error().detail;
    EXPECT_TRUE(connect_unix(deep + "/socket", Blocking::No));
}

TEST_F(SocketTest, ADeadSocketIsReplacedButNothingElseIs) {
    { auto dead = listen_unix(path("s"), {}); }
    EXPECT_EQ(connect_unix(path("s"), Blocking::Yes).error().code, ErrorCode::Unavailable);
    auto alive = listen_unix(path("s"), {});
    ASSERT_TRUE(alive) << alive.error().detail;
    auto second = listen_unix(path("s"), {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::InUse);
    EXPECT_TRUE(connect_unix(path("s"), Blocking::Yes));

    ASSERT_EQ(::mkdir(path("directory").c_str(), 0700), 0);
    auto on_directory = listen_unix(path("directory"), {});
    ASSERT_FALSE(on_directory);
    EXPECT_EQ(on_directory.error().code, ErrorCode::AlreadyExists);
    EXPECT_EQ(listen_unix(path("no/such/s"), {}).error().code, ErrorCode::NotFound);
}

TEST_F(SocketTest, AFifoNeverEndsAndIsNotOpenedThroughALink) {
    auto fifo = open_fifo(path("f"), {.mode = 0600});
    ASSERT_TRUE(fifo) << fifo.error().detail;
    EXPECT_TRUE(open_fifo(path("f"), {.mode = 0600}));
    ASSERT_EQ(::symlink("/etc/passwd", path("link").c_str()), 0);
    EXPECT_FALSE(open_fifo(path("link"), {}));
}

TEST_F(SocketTest, AnInetListenerTellsBothEndsOfAConnection) {
    auto listener = listen_inet(*IpAddress::parse("127.0.0.1"), 0, SharePort::No);
    ASSERT_TRUE(listener) << listener.error().detail;
    sockaddr_storage address;
    socklen_t length = sizeof address;
    ASSERT_EQ(::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    auto accepted = accept_connection(listener->get());
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->local->to_string(), "127.0.0.1");
    EXPECT_EQ(accepted->remote->to_string(), "127.0.0.1");
    EXPECT_NE(accepted->local_port, accepted->remote_port);
}

}  // namespace
}  // namespace culver
