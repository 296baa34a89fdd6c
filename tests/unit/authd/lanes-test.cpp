// A database that hangs behind one that answers: who is found before it does not wait, whatever he asks for.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "lib-base/log.h"
#include "tests/unit/authd/hung-pam.h"
#include "tests/unit/authd/peer.h"

namespace culver {
namespace {

// It knows one user, who stands in no file.
class HungShadow final : public HungPam {
    PamAnswer answer(const PamCall& call) override {
        PamAnswer answer;
        answer.verdict = call.user == "late" ? Verdict::Match : Verdict::UnknownUser;
        answer.secret = SecretString("{PLAIN}secret");
        return answer;
    }
};

constexpr std::size_t kThreads = 2;

class LanesTest : public testing::Test {
protected:
    LanesTest() {
        set_log_sink([this](LogLevel, std::string_view text) {
            std::lock_guard lock(log_mutex);
            if (text.starts_with("Login ")) logins.emplace_back(text);
            log_changed.notify_all();
        });
        base = testing::TempDir() + "/lanes-test." + std::to_string(::getpid());
        std::ofstream(base) << "alice:{PLAIN}secret:5000:5000::/home/alice::\n";
        std::ofstream(base + ".masters") << "boss:{PLAIN}boss\n";
        settings.mechanisms = {"PLAIN", "CRAM-MD5"};
        settings.failure_delay = std::chrono::milliseconds(1);
        settings.worker_count = kThreads;
        settings.master_user_separator = "*";
        for (const char* suffix : {".masters", ""}) {
            PassDbSettings file;
            file.driver = "passwd-file";
            file.args = base + suffix;
            file.master = suffix[0] != '\0';
            settings.passdbs.push_back(file);
        }
        PassDbSettings hung;
        hung.driver = "shadow";
        settings.passdbs.push_back(hung);
        server = std::make_unique<AuthServer>(loop, DriverContext{&files, &shadow});
    }
    ~LanesTest() override {
        shadow.release();
        loop.stop();
        if (thread.joinable()) thread.join();
        server.reset();
        set_log_sink({});
        for (const char* suffix : {"", ".masters"}) std::remove((base + suffix).c_str());
    }
    void add_userdb(const std::string& driver, const std::string& args) {
        UserDbSettings userdb;
        userdb.driver = driver;
        userdb.args = args;
        settings.userdbs.push_back(userdb);
    }
    void start() {
        auto used = server->use_settings(settings);
        ASSERT_TRUE(used) << used.error().detail;
        thread = std::thread([this] { loop.run(); });
    }
    Peer client() { return connect(AuthProtocol::Client); }
    Peer connect(AuthProtocol protocol) {
        Peer peer = Peer::connect(loop, *server, protocol);
        peer.send(fmt::format("VERSION\t1\t{}\n", protocol == AuthProtocol::Master ? 1 : 2));
        if (protocol == AuthProtocol::Client) peer.send(fmt::format("CPID\t{}\n", ++last_pid));
        const std::string_view last = protocol == AuthProtocol::Master ? "SPID" : "DONE";
        EXPECT_TRUE(peer.line_beginning(last).starts_with(last));
        return peer;
    }
    // Users whom nobody but the hung database could know: all of its threads wait, and more users than those.
    void fill_lane(Peer& peer) {
        for (std::size_t i = 1; i <= 3 * kThreads; ++i)
            peer.send(fmt::format("AUTH\t{}\tPLAIN\tservice=imap\trip=10.0.{}.1\tresp={}\n", i, i, plain("late", "x")));
        shadow.wait_for_questions(kThreads);
    }
    static std::string cram_md5(const std::string& cont, const std::string& user, const std::string& password) {
        std::string challenge = base64_decode(cont.substr(cont.rfind('\t') + 1)).value();
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        HMAC(EVP_md5(), password.data(), int(password.size()), reinterpret_cast<const unsigned char*>(challenge.data()),
             challenge.size(), digest, &size);
        return base64_encode(user + " " + hex_encode({reinterpret_cast<const char*>(digest), size}));
    }

    // The only line about a login so far, without the folder's name.
    std::string login_line() {
        std::unique_lock lock(log_mutex);
        log_changed.wait_for(lock, std::chrono::seconds(60), [this] { return !logins.empty(); });
        if (logins.size() != 1) return fmt::format("{} lines", logins.size());
        std::string line = std::exchange(logins, {})[0];
        for (std::size_t at; (at = line.find(base)) != line.npos;) line.erase(at, base.size());
        return line;
    }

    std::mutex log_mutex;  // guards the next two
    std::condition_variable log_changed;
    std::vector<std::string> logins;
    EventLoop loop;
    PasswdFileRegistry files;
    HungShadow shadow;
    AuthSettings settings;
    std::unique_ptr<AuthServer> server;
    std::thread thread;
    std::string base;
    unsigned last_pid = 0;
};

TEST_F(LanesTest, EveryMechanismOfAUserWhoIsFoundBeforeIsAnswered) {
    start();
    Peer flood = connect(AuthProtocol::Client), good = connect(AuthProtocol::Client);
    fill_lane(flood);
    EXPECT_EQ(good.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
    for (const auto& [user, password] : {std::pair{"alice", "secret"}, {"alice*boss", "boss"}}) {
        std::string cont = good.ask("AUTH\t2\tCRAM-MD5\tservice=imap");
        ASSERT_TRUE(cont.starts_with("CONT\t2\t")) << cont;
        std::string reply = good.ask("CONT\t2\t" + cram_md5(cont, user, password));
        EXPECT_TRUE(reply.starts_with("OK\t2\tuser=alice")) << user << ": " << reply;
    }
    EXPECT_TRUE(good.ask("AUTH\t3\tPLAIN\tservice=imap\tresp=" + plain("alice*boss", "boss")).starts_with("OK\t3\t"));
}

TEST_F(LanesTest, LookupsOfAUserWhoIsFoundBeforeAreAnswered) {
    add_userdb("static", "uid=5000 gid=5000 home=/home/%u");
    start();
    Peer flood = connect(AuthProtocol::Client), master = connect(AuthProtocol::Master);
    fill_lane(flood);
    EXPECT_TRUE(master.ask("USER\t1\talice\tservice=doveadm").starts_with("USER\t1\talice\tuid=5000"))
        << "static asks the passdbs whether there is such a user";
    EXPECT_TRUE(master.ask("PASS\t2\talice\tservice=doveadm").starts_with("PASS\t2\tuser=alice"));
    master.send("USER\t3\tlate\tservice=doveadm\n");
    EXPECT_TRUE(master.ask("USER\t4\talice\tservice=doveadm").starts_with("USER\t4\talice"))
        << "who needs the other database waits, and keeps nobody waiting";
    shadow.release();
    EXPECT_TRUE(master.line().starts_with("USER\t3\tlate\tuid=5000"));
}

TEST_F(LanesTest, WhoIsFoundByTheHungDatabaseIsAnsweredWhenItGoesOn) {
    add_userdb("passwd-file", base);
    start();
    Peer flood = connect(AuthProtocol::Client), good = connect(AuthProtocol::Client);
    fill_lane(flood);
    std::string cont = good.ask("AUTH\t1\tCRAM-MD5\tservice=imap");
    good.send("CONT\t1\t" + cram_md5(cont, "late", "secret") + "\n");
    EXPECT_EQ(good.ask("AUTH\t2\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t2\tuser=alice");
    shadow.release();
    EXPECT_EQ(good.line(), "OK\t1\tuser=late");
}

TEST_F(LanesTest, ALoginThatIsGivenUpHasItsLine) {
    settings.passdbs.pop_back();
    start();
    {
        Peer peer = client();
        peer.send("AUTH\t1\tPLAIN\tservice=imap\trip=10.0.0.1\nCANCEL\t1\n");
        EXPECT_EQ(login_line(),
                  "Login abandoned: user=<>, service=imap, mech=PLAIN, rip=10.0.0.1: client: cancelled it");
        std::string cont = peer.ask("AUTH\t2\tCRAM-MD5\tservice=imap");
    }
    EXPECT_EQ(login_line(),
              "Login abandoned: user=<>, service=imap, mech=CRAM-MD5: client: went away before the answer");
}

TEST_F(LanesTest, ALoginThatIsGivenUpHasItsLineWhenTheDatabasesHaveAnswered) {
    start();
    {
        Peer peer = client();
        peer.send("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("late", "guess") + "\n");
        shadow.wait_for_questions(1);
    }
    shadow.release();
    EXPECT_EQ(login_line(),
              "Login abandoned: user=<late>, service=imap, mech=PLAIN: passwd-file(): unknown user; "
              "shadow: password mismatch; client: went away before the answer");
}

TEST_F(LanesTest, ARefusalHasOneLineWhetherItsClientWaitsForItOrNot) {
    settings.passdbs.pop_back();
    settings.failure_delay = std::chrono::milliseconds(100);
    start();
    {
        Peer peer = client();
        EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice")
            << "the file is read";
        peer.send("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "guess") + "\nCANCEL\t1\n");
        EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "OK\t1\tuser=alice");
    }
    EXPECT_EQ(login_line(), "Login refused: user=<alice>, service=imap, mech=PLAIN: passwd-file(): password mismatch");
}

TEST_F(LanesTest, LoginsThatAreGivenUpDoNotFloodTheLog) {
    settings.passdbs.pop_back();
    start();
    Peer peer = client();
    std::string all;
    for (int i = 1; i <= 500; ++i)
        all += fmt::format("AUTH\t{}\tPLAIN\tservice=imap\trip=10.0.0.1\nCANCEL\t{}\n", i, i);
    peer.send(all);
    EXPECT_EQ(peer.ask("AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("alice", "secret")), "CONT\t1\t");
    std::string last;
    while ((last = peer.line()).starts_with("CONT\t")) continue;
    EXPECT_EQ(last, "OK\t1\tuser=alice");
    std::lock_guard lock(log_mutex);
    EXPECT_EQ(logins.size(), RefusalLogLimit::kPerMinute);
}

TEST_F(LanesTest, AListGoesDatabaseByDatabase) {
    add_userdb("passwd-file", base);
    add_userdb("passwd-file", base + ".masters");
    add_userdb("static", "uid=5000");
    start();
    Peer master = connect(AuthProtocol::Master);
    EXPECT_EQ(master.ask("LIST\t1\tservice=doveadm"), "LIST\t1\talice");
    EXPECT_EQ(master.line(), "LIST\t1\tboss");
    EXPECT_EQ(master.line(), "DONE\t1\t") << "one that cannot say takes nothing away from the others";
}

}  // namespace
}  // namespace culver
