// Whole dialogues with AuthServer over socket pairs.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "authd/login-attempt.h"
#include "lib-base/log.h"
#include "tests/unit/authd/peer.h"

namespace culver {
namespace {

class AuthServerTest : public testing::Test {
protected:
    AuthServerTest() {
        set_log_sink([this](LogLevel, std::string_view text) { log += std::string(text) + "\n"; });
        std::string path = testing::TempDir() + "/auth-server-test." + std::to_string(::getpid());
        std::ofstream(path) << "alice:{PLAIN}secret:5000:5001::/home/alice::\nbob:{PLAIN}x:6000:6000::/b::nologin\n"
                               "slow:{SHA512-CRYPT}$6$KvHW9qXuWW2U7U7w$iDElB1uS3EdRz5gLBKquTnvSXrQuIUA.ayqxYmRvsNl."
                               "WG3196Lzxn7AiMreaQn//8in60QXmTkhwyDoiyngx.::::::\n";
        AuthSettings settings;
        settings.mechanisms = {"PLAIN", "LOGIN"};
        settings.failure_delay = std::chrono::milliseconds(50);
        PassDbSettings passdb;
        passdb.driver = "passwd-file";
        passdb.args = path;
        settings.passdbs.push_back(passdb);
        UserDbSettings userdb;
        userdb.driver = "passwd-file";
        userdb.args = path;
        settings.userdbs.push_back(userdb);
        server = std::make_unique<AuthServer>(loop, DriverContext{&files, nullptr});
        EXPECT_TRUE(server->use_settings(settings));
        thread = std::thread([this] { loop.run(); });
    }
    ~AuthServerTest() override {
        loop.stop();
        thread.join();
        server.reset();
        set_log_sink({});
    }
    Peer connect(AuthProtocol protocol, UserDbRights rights = {}) {
        return Peer::connect(loop, *server, protocol, rights);
    }
    Peer client(AuthProtocol protocol = AuthProtocol::Client, unsigned pid = 100, const char* minor = "2") {
        Peer peer = connect(protocol);
        peer.send(fmt::format("VERSION\t1\t{}\nCPID\t{}\n", minor, pid));
        std::string line;
        while ((line = peer.line()) != "DONE" && line[0] != '(')
            if (line.starts_with("COOKIE\t")) cookie = line.substr(7);
        EXPECT_EQ(line, "DONE");
        return peer;
    }
    EventLoop loop;
    PasswdFileRegistry files;
    std::unique_ptr<AuthServer> server;
    std::thread thread;
    std::string log, cookie;
};

TEST_F(AuthServerTest, GreetsFirstAndOffersTheMechanismsInOrder) {
    Peer peer = connect(AuthProtocol::Client);
    EXPECT_EQ(peer.line(), "VERSION\t1\t2");
    EXPECT_EQ(peer.line(), "MECH\tPLAIN\tplaintext");
    EXPECT_EQ(peer.line(), "MECH\tLOGIN\tplaintext");
    EXPECT_EQ(peer.line(), "SPID\t" + std::to_string(::getpid())) << "before the client has said anything";
    EXPECT_TRUE(peer.line().starts_with("CUID\t"));
    EXPECT_TRUE(peer.line().starts_with("COOKIE\t"));
    EXPECT_EQ(peer.line(), "DONE");
}

TEST_F(AuthServerTest, AClientThatSaysNothingMoreIsRefusedAfterAWhile) {
    auto usual = std::exchange(LoginAttempt::client_timeout, std::chrono::milliseconds(100));
    EXPECT_EQ(usual, std::chrono::seconds(150));
    Peer peer = client();
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap"), "CONT\t1\t");
    EXPECT_EQ(peer.ask("AUTH\t2\tLOGIN\tservice=imap"), "CONT\t2\tVXNlcm5hbWU6");
    EXPECT_EQ(peer.ask("CONT\t2\t" + base64_encode("bob")), "CONT\t2\tUGFzc3dvcmQ6") << "each message has its own time";
    EXPECT_EQ(peer.line(), "FAIL\t1\treason=Authentication request timed out");
    EXPECT_EQ(peer.line(), "FAIL\t2\treason=Authentication request timed out");
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
    LoginAttempt::client_timeout = usual;
}

TEST_F(AuthServerTest, AnswersLogins) {
    Peer peer = client();
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
    EXPECT_EQ(peer.ask("AUTH\t2\tplain\tservice=imap"), "CONT\t2\t");
    EXPECT_EQ(peer.ask("CONT\t2\t" + plain("ALICE", "secret")), "OK\t2\tuser=alice\toriginal_user=ALICE");
    EXPECT_EQ(peer.ask("AUTH\t3\tLOGIN\tservice=smtp"), "CONT\t3\tVXNlcm5hbWU6");
    EXPECT_EQ(peer.ask("CONT\t3\t" + base64_encode("bob")), "CONT\t3\tUGFzc3dvcmQ6");
    EXPECT_EQ(peer.ask("CONT\t3\t" + base64_encode("x")), "OK\t3\tuser=bob\tnologin");
    EXPECT_EQ(peer.ask("AUTH\t4\tPLAIN\tservice=imap\tresp=" + plain("slow", "secret")), "OK\t4\tuser=slow");
    EXPECT_EQ(peer.ask("AUTH\t5\tPLAIN\tservice=imap\tno-penalty\tresp=" + plain("alice", "no")),
              "FAIL\t5\tuser=alice");
    EXPECT_EQ(peer.ask("AUTH\t6\tPLAIN\tservice=imap\tno-penalty\tresp=" + plain("zoe", "no")), "FAIL\t6\tuser=zoe");
    EXPECT_EQ(peer.ask("AUTH\t7\tPLAIN\tservice=imap\tresp=***"),
              "FAIL\t7\tcode=invalid_base64\treason=Invalid base64 data in initial response");
    EXPECT_EQ(peer.ask("CONT\t99\t"), "FAIL\t99\treason=Authentication request timed out");
}

TEST_F(AuthServerTest, AnEmptyResponseMeansWhatTheClientsVersionSays) {
    Peer old = client(AuthProtocol::Client, 100, "1");
    EXPECT_EQ(old.ask("AUTH\t1\tPLAIN\tservice=smtp\tresp="), "CONT\t1\t");
    Peer current = client(AuthProtocol::Client, 101, "2");
    EXPECT_EQ(current.ask("AUTH\t1\tPLAIN\tservice=smtp\tno-penalty\tresp="), "FAIL\t1");
    EXPECT_EQ(current.ask("AUTH\t2\tPLAIN\tservice=smtp\tno-penalty\tresp=="), "FAIL\t2");
}

TEST_F(AuthServerTest, CutsOffBrokenClientsAndServesTheOthers) {
    Peer good = client();
    for (const std::string& bad :
         {std::string("AUTH\t1\tPLAIN\tservice=imap"), std::string("CPID\t5"), std::string("VERSION\t2\t0"),
          std::string("VERSION\t1\t0\nCPID\t0"), std::string("VERSION\t1\t0\nCPID\t5\nAUTH\t0\tPLAIN\tservice=imap"),
          std::string("VERSION\t1\t0\nCPID\t5\nAUTH\tx\tPLAIN\tservice=imap"),
          std::string("VERSION\t1\t0\nCPID\t5\nAUTH\t1\tPLAIN"),
          std::string("VERSION\t1\t0\nCPID\t5\nAUTH\t1\tNOSUCH\tservice=imap"),
          std::string("VERSION\t1\t0\nCPID\t5\nAUTH\t1\tPLAIN\tresp=AA==\tservice=imap"),
          std::string("VERSION\t1\t0\nCPID\t5\nAUTH\t1\tPLAIN\tservice=a\nAUTH\t1\tPLAIN\tservice=a"),
          std::string("garbage\x00\xff", 9), std::string("VERSION\t1\t0\nCPID\t5\n") + std::string(17000, 'x'),
          std::string("REQUEST\t1\t2\t3\t4"), std::string("USER\t1\talice\tservice=imap")}) {
        Peer peer = connect(AuthProtocol::Client);
        peer.send(bad + "\n");
        std::string line;
        while ((line = peer.line()) != "(closed)" && line != "(nothing)") {
        }
        EXPECT_EQ(line, "(closed)") << bad.substr(0, 80);
    }
    EXPECT_EQ(good.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
}

TEST_F(AuthServerTest, ALoginIsPickedUpOnceWithItsCookie) {
    Peer login = client(AuthProtocol::Login, 4242);
    ASSERT_EQ(login.ask("AUTH\t8\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t8\tuser=alice");
    Peer master = connect(AuthProtocol::Master);
    master.line();
    master.line();
    std::string pid = std::to_string(::getpid()), good = "\t4242\t8\t" + cookie;
    EXPECT_EQ(master.ask("REQUEST\t1\t4242\t8\t" + std::string(32, '0')), "FAIL\t1");
    EXPECT_EQ(master.ask("REQUEST\t2" + good + "\tsession_pid=" + pid),
              "USER\t2\talice\tuid=5000\tgid=5001\thome=/home/alice\tauth_mech=PLAIN");
    EXPECT_EQ(master.ask("REQUEST\t3" + good), "FAIL\t3") << "only once";
    ASSERT_EQ(login.ask("AUTH\t8\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t8\tuser=alice");
    EXPECT_EQ(master.ask("REQUEST\t4" + good + "\tsession_pid=1"), "FAIL\t4");
    EXPECT_EQ(master.ask("REQUEST\t5" + good), "FAIL\t5") << "a wrong process uses the login up";
    Peer plain_client = client(AuthProtocol::Client, 77);
    ASSERT_EQ(plain_client.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
    EXPECT_EQ(master.ask("REQUEST\t6\t77\t1\t" + cookie), "FAIL\t6") << "not from a client socket";
}

TEST_F(AuthServerTest, AnswersLookups) {
    Peer master = connect(AuthProtocol::UserDb);
    EXPECT_EQ(master.line(), "VERSION\t1\t1");
    master.line();
    EXPECT_EQ(master.ask("VERSION\t1\t0\nUSER\t1\tALICE\tservice=imap"),
              "USER\t1\talice\tuid=5000\tgid=5001\thome=/home/alice");
    EXPECT_EQ(master.ask("USER\t2\tnobody\tservice=imap"), "NOTFOUND\t2");
    EXPECT_EQ(master.ask("PASS\t3\talice\tservice=imap"), "PASS\t3\tuser=alice");
    EXPECT_EQ(master.ask("PASS\t4\tnobody\tservice=imap"), "NOTFOUND\t4");
    master.send("LIST\t5\tservice=doveadm\n");
    std::string all, line;
    while ((line = master.line()).starts_with("LIST")) all += line.substr(7) + " ";
    EXPECT_EQ(all, "alice bob slow ");
    EXPECT_EQ(line, "DONE\t5\t");
    EXPECT_EQ(master.ask("CACHE-FLUSH\t6"), "(closed)");
    Peer restricted = connect(AuthProtocol::UserDb, UserDbRights{false, 5000});
    restricted.line();
    restricted.line();
    EXPECT_TRUE(restricted.ask("USER\t1\talice\tservice=lda").starts_with("USER\t1\talice"));
    EXPECT_EQ(restricted.ask("USER\t2\tbob\tservice=lda"), "FAIL\t2");
    EXPECT_EQ(restricted.ask("LIST\t3\tservice=lda"), "DONE\t3\tfail");
}

TEST_F(AuthServerTest, AVanishedClientHurtsNobody) {
    {
        Peer gone = client(AuthProtocol::Client, 1);
        for (int i = 1; i < 200; ++i)
            gone.send(fmt::format("AUTH\t{}\tPLAIN\tservice=imap\tresp={}\n", i, plain("slow", "no")));
    }
    Peer peer = client(AuthProtocol::Client, 2);
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\trip=192.0.2.9\tresp=" + plain("alice", "secret")),
              "OK\t1\tuser=alice");
}

TEST_F(AuthServerTest, HoldsAnAddressThatGuessesAndNobodyElse) {
    Peer peer = client();
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\trip=192.0.2.1\tresp=" + plain("alice", "no")),
              "FAIL\t1\tuser=alice");
    peer.send("AUTH\t2\tPLAIN\tservice=imap\trip=192.0.2.1\tresp=" + plain("alice", "secret") + "\n");
    EXPECT_EQ(peer.line(300), "(nothing)");
    EXPECT_EQ(peer.ask("AUTH\t3\tPLAIN\tservice=imap\trip=192.0.2.2\tresp=" + plain("alice", "secret")),
              "OK\t3\tuser=alice");
}

}  // namespace
}  // namespace culver
