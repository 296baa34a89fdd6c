// What AUTH may say of TLS: channel bindings in hex, certificates, and who is believed about them.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "authd/auth-line.h"
#include "authd/peer-trust.h"
#include "lib-base/unique-fd.h"

namespace culver {
namespace {

TEST(AuthLineBindings, AreHexOfAHashOrTheClientIsBroken) {
    const std::string zeros(64, '0'), start = "AUTH\t1\tSCRAM-SHA-256-PLUS\tservice=imap\t";
    auto parsed =
        parse_auth_line(start + "tls-exporter=" + zeros + "\ttls-server-end-point=" + std::string(128, 'F'), 2);
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_EQ(parsed->auth.tls_exporter, std::string(32, '\0'));
    EXPECT_EQ(parsed->auth.tls_server_end_point, std::string(64, '\xff'));
    for (const std::string& bad :
         {std::string("tls-exporter"), std::string("tls-exporter="), "tls-exporter=0" + zeros,
          "tls-exporter=xy" + zeros, std::string("tls-exporter=00"), "tls-exporter=" + zeros + zeros + "00",
          std::string("tls-server-end-point=00"), "tls-exporter=" + zeros + "\ttls-exporter=zz"})
        EXPECT_FALSE(parse_auth_line(start + bad, 2)) << bad;
    EXPECT_TRUE(parse_auth_line(start + "tls-unique=" + zeros, 2)->auth.tls_exporter.empty())
        << "unknown keys say nothing";
}

TEST(AuthLineBindings, AreNoFieldsOfLookups) {
    AuthRequest request;
    EXPECT_FALSE(set_request_field(request, "tls-exporter", std::string(64, '0')));
    EXPECT_TRUE(request.tls_exporter.empty());
}

class PeerTrust : public testing::Test {
protected:
    const std::string path = testing::TempDir() + "/peer-trust." + std::to_string(::getpid());
    ~PeerTrust() override { ::unlink(path.c_str()); }

    bool is_open_with(mode_t mode, bool vanishes = false) {
        UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
            client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        ::unlink(path.c_str());
        auto* generic = reinterpret_cast<const sockaddr*>(&address);
        EXPECT_EQ(::bind(listener.get(), generic, sizeof address), 0);
        EXPECT_EQ(::listen(listener.get(), 1), 0);
        EXPECT_EQ(::connect(client.get(), generic, sizeof address), 0);
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
        if (vanishes) ::unlink(path.c_str());
        return is_open_to_everybody(accepted.get());
    }
};

TEST_F(PeerTrust, FollowsTheModeOfTheSocket) {
    EXPECT_FALSE(is_open_with(0600));
    EXPECT_FALSE(is_open_with(0660));
    EXPECT_TRUE(is_open_with(0666));
    EXPECT_TRUE(is_open_with(0602));
    EXPECT_TRUE(is_open_with(0600, true)) << "what cannot be seen is not believed";
}

TEST_F(PeerTrust, NetworkSocketsAndPairsAreOpen) {
    UniqueFd network(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(is_open_to_everybody(network.get()));
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    UniqueFd one(fds[0]), other(fds[1]);
    EXPECT_TRUE(is_open_to_everybody(one.get()));
}

}  // namespace
}  // namespace culver
