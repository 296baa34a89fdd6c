// What AuthServer does when there is more to do than time: floods of guesses, databases that hang.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "lib-base/log.h"
#include "tests/unit/authd/hung-pam.h"
#include "tests/unit/authd/peer.h"

namespace culver {
namespace {

constexpr const char* kSlowHash =
    "{SHA512-CRYPT}$6$KvHW9qXuWW2U7U7w$iDElB1uS3EdRz5gLBKquTnvSXrQuIUA.ayqxYmRvsNl.WG3196Lzxn7AiMreaQn//8in60QXmTkhwyDo"
    "iyngx.";

class OverloadTest : public testing::Test {
protected:
    OverloadTest() {
        set_log_sink([this](LogLevel, std::string_view text) {
            std::lock_guard lock(log_mutex);
            if (text.starts_with("passwd-file(") && text.find("assword mismatch") != text.npos) ++mismatches;
        });
        base = testing::TempDir() + "/overload-test." + std::to_string(::getpid());
        std::ofstream(base) << "cheap:{PLAIN}secret\nslow:" << kSlowHash << "\n";
        sqlite3* db = nullptr;
        EXPECT_EQ(sqlite3_open((base + ".db").c_str(), &db), SQLITE_OK);
        sqlite3_exec(
            db, "CREATE TABLE users (name TEXT, password TEXT); INSERT INTO users VALUES ('sqlite','{PLAIN}secret')",
            nullptr, nullptr, nullptr);
        sqlite3_close(db);
        std::ofstream(base + ".conf") << "driver = sqlite\nconnect = " << base
                                      << ".db\npassword_query = SELECT password FROM users WHERE name = '%u'\n";
        settings.mechanisms = {"PLAIN", "LOGIN"};
        settings.verbose = true;
        settings.failure_delay = std::chrono::milliseconds(20);
    }
    ~OverloadTest() override {
        pam.release();
        loop.stop();
        if (thread.joinable()) thread.join();
        server.reset();
        set_log_sink({});
        for (const char* suffix : {"", ".db", ".conf"}) std::remove((base + suffix).c_str());
    }
    void add(const std::string& driver, const std::string& args, const std::string& filter = "") {
        PassDbSettings passdb;
        passdb.driver = driver;
        passdb.args = args;
        passdb.username_filter = filter;
        settings.passdbs.push_back(passdb);
    }
    void start() {
        server = std::make_unique<AuthServer>(loop, DriverContext{&files, &pam});
        auto used = server->use_settings(settings);
        ASSERT_TRUE(used) << used.error().detail;
        thread = std::thread([this] { loop.run(); });
    }
    Peer client(unsigned pid) {
        Peer peer = Peer::connect(loop, *server, AuthProtocol::Client);
        peer.send(fmt::format("VERSION\t1\t2\nCPID\t{}\n", pid));
        EXPECT_EQ(peer.line_beginning("DONE"), "DONE");
        return peer;
    }
    int compared() {
        std::lock_guard lock(log_mutex);
        return mismatches;
    }

    EventLoop loop;
    PasswdFileRegistry files;
    HungPam pam;
    AuthSettings settings;
    std::unique_ptr<AuthServer> server;
    std::thread thread;
    std::mutex log_mutex;
    int mismatches = 0;
    std::string base;
};

TEST_F(OverloadTest, ADatabaseThatHangsHoldsUpNobodyElse) {
    add("pam", "", "*@pam");
    add("sql", base + ".conf", "sqlite");
    add("passwd-file", base);
    start();
    Peer flood = client(1), good = client(2);
    for (int i = 1; i <= 200; ++i) flood.log_in(i, fmt::format("10.0.{}.1", i), "user@pam", "x");
    EXPECT_TRUE(becomes_true([&] { return pam.asked() > 10; }));
    EXPECT_EQ(flood.line(100), "(nothing)");
    good.log_in(1, "192.0.2.1", "sqlite", "secret");
    EXPECT_EQ(good.line(), "OK\t1\tuser=sqlite") << "a database that needs a thread too";
    good.log_in(2, "192.0.2.1", "cheap", "secret");
    EXPECT_EQ(good.line(), "OK\t2\tuser=cheap");
    good.log_in(3, "192.0.2.1", "slow", "secret");
    EXPECT_EQ(good.line(), "OK\t3\tuser=slow") << "and the threads that hash are free";
    pam.release();
    EXPECT_TRUE(flood.has_lines(200)) << "who waited is answered when it goes on";
}

TEST_F(OverloadTest, TooManyForOneDatabaseAreATemporaryFailure) {
    add("pam", "", "*@pam");
    add("passwd-file", base);
    start();
    Peer flood = client(1);
    for (int i = 1; i <= 900; ++i) flood.log_in(i, "10.0.0." + std::to_string(i % 250), "user@pam", "x");
    std::string line = flood.line();
    EXPECT_NE(line.find("\tcode=temp_fail"), line.npos) << line << ": one network does not get all the places";
}

TEST_F(OverloadTest, PipelinedGuessesOfOneAddressAreNotAllCompared) {
    add("passwd-file", base);
    start();
    for (const char* user : {"slow", "cheap"}) {
        int before = compared();
        Peer flood = client(1), good = client(2);
        std::string ip = user == std::string("slow") ? "10.0.0.1" : "2001:db8::1";
        for (int i = 1; i <= 1000; ++i) flood.log_in(i, ip, user, "guess" + std::to_string(i));
        good.log_in(1, "10.0.0.2", "slow", "secret");
        EXPECT_EQ(good.line(), "OK\t1\tuser=slow");
        EXPECT_TRUE(flood.has_lines(1)) << user;
        while (flood.line(500)[0] != '(') continue;
        EXPECT_LE(compared() - before, 16) << user;
        EXPECT_GE(compared() - before, 1) << user;
        loop.post([this] { server->penalties().clear(); });
    }
}

TEST_F(OverloadTest, GuessesThatWereBegunBeforeTheFirstFailedAreHeldAtTheirNextMessage) {
    add("passwd-file", base);
    start();
    Peer flood = client(1);
    flood.log_in(1000, "10.0.0.3", "cheap", "secret");
    EXPECT_EQ(flood.line(), "OK\t1000\tuser=cheap") << "the file is read";
    std::string answers;
    for (int i = 1; i <= 300; ++i) flood.send(fmt::format("AUTH\t{}\tPLAIN\tservice=imap\trip=10.0.0.1\n", i));
    for (int i = 1; i <= 300; ++i) EXPECT_TRUE(flood.line().starts_with("CONT\t"));
    for (int i = 1; i <= 300; ++i)
        answers +=
            fmt::format("CONT\t{}\t{}\n", i, base64_encode(std::string("\0cheap\0guess", 12) + std::to_string(i)));
    flood.send(answers);
    EXPECT_TRUE(flood.has_lines(1));
    EXPECT_EQ(flood.line(300), "(nothing)");
    EXPECT_EQ(compared(), 1);
}

TEST_F(OverloadTest, GuessesOverAllServicesAndSocketsCountTogether) {
    add("passwd-file", base);
    start();
    Peer imap = client(1), smtp = client(2);
    imap.send("AUTH\t1\tPLAIN\tservice=imap\trip=10.0.0.1\tresp=" + base64_encode(std::string("\0cheap\0one", 10)) +
              "\n");
    EXPECT_TRUE(imap.line().starts_with("FAIL\t1"));
    smtp.send("AUTH\t1\tPLAIN\tservice=smtp\trip=10.0.0.1\tresp=" + base64_encode(std::string("\0cheap\0two", 10)) +
              "\n");
    EXPECT_EQ(smtp.line(300), "(nothing)") << "held for what it did over IMAP";
    EXPECT_EQ(compared(), 1);
    smtp.send("AUTH\t2\tPLAIN\tservice=smtp\trip=10.0.0.2\tresp=" + base64_encode(std::string("\0cheap\0secret", 13)) +
              "\n");
    EXPECT_EQ(smtp.line(), "OK\t2\tuser=cheap") << "the neighbour is not";
}

TEST_F(OverloadTest, AClientThatGoesAwayHasGuessedAllTheSame) {
    add("passwd-file", base);
    start();
    {
        Peer rude = client(1);
        rude.log_in(1, "10.0.0.1", "slow", "guess");
    }
    Peer next = client(2);
    EXPECT_TRUE(becomes_true([&] { return compared() == 1; }));
    ::usleep(50'000);
    next.log_in(1, "10.0.0.1", "cheap", "secret");
    EXPECT_EQ(next.line(300), "(nothing)");
}

TEST_F(OverloadTest, AFloodFromManyAddressesDoesNotKeepAKnownUserWaiting) {
    add("passwd-file", base);
    start();
    Peer good = client(2);
    good.log_in(1, "192.0.2.1", "slow", "secret");
    EXPECT_EQ(good.line(), "OK\t1\tuser=slow");
    Peer flood = client(1);
    for (int i = 1; i <= 900; ++i) flood.log_in(i, fmt::format("10.{}.{}.1", i / 200, i % 200), "slow", "guess");
    good.log_in(2, "192.0.2.9", "slow", "secret");
    EXPECT_EQ(good.line(), "OK\t2\tuser=slow");
    EXPECT_LT(compared(), 600) << "it went first";
}

}  // namespace
}  // namespace culver
