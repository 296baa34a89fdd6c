// How long a client may take to log in, on a login process whose authd and clients are the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "lib-config/load.h"
#include "lib-net/listen.h"
#include "lib-net/socket.h"
#include "lib-service/inheritance.h"
#include "login/core/login-server.h"
#include "login/imap/imap-login-client.h"

namespace culver {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const Settings> settings_with(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    LoadOptions options;
    options.path = path;
    return load_settings(options).settings;
}

void pass_fd(const char* variable, int fd) { ::setenv(variable, std::to_string(::fcntl(fd, F_DUPFD, 100)).c_str(), 1); }

class LoginTimeTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/culver-login-XXXXXX";
        ASSERT_TRUE(::mkdtemp(name));
        directory_ = name;
        std::filesystem::create_directory(directory_ + "/login");
        auto authd = listen_unix(directory_ + "/login/login", {});
        auto door = listen_inet(*IpAddress::parse("127.0.0.1"), 0, SharePort::No);
        auto log = socket_pair(SOCK_SEQPACKET, Blocking::No);
        auto control = socket_pair(SOCK_SEQPACKET, Blocking::No);
        auto memfd =
            make_memfd(settings_with(directory_ + "/conf", "ssl = no\nbase_dir = " + directory_ + "\n")->serialize());
        ASSERT_TRUE(authd && door && log && control && memfd);
        authd_ = std::move(*authd);
        door_ = ::fcntl(door->get(), F_DUPFD, 100);
        log_ = std::move(log->first);
        control_ = std::move(control->first);
        pass_fd(kLogFdVariable, log->second.get());
        pass_fd(kControlFdVariable, control->second.get());
        pass_fd(kSettingsFdVariable, memfd->get());
        ::setenv(kListenersVariable, (std::to_string(door_) + "\tinet\timap\t143\t0\n").c_str(), 1);
        auto service = Service::take_over("imap");
        ASSERT_TRUE(service) << service.error().detail;
        service_ = std::move(*service);
        const auto make_client = [this](LoginServer& owner, Arrival arrival, LoginSettings settings) {
            settings.login_time = login_time_;
            return std::unique_ptr<LoginClient>(new ImapLoginClient(owner, std::move(arrival), std::move(settings)));
        };
        server_ = std::make_unique<LoginServer>(*service_, "imap", "", make_client);
    }
    void TearDown() override {
        set_log_sink(nullptr);
        set_log_prefix("");
        std::filesystem::remove_all(directory_);
    }

    // authd greets, asks for a response to AUTH without one, and lets every other login wait.
    void play_authd() {
        loop().watch(authd_.get(), Interest::Read, [this](Ready) {
            auto accepted = accept_connection(authd_.get());
            if (!accepted) return;
            auth_connection_ = std::move(accepted->fd);
            write(auth_connection_, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n");
            loop().watch(auth_connection_.get(), Interest::Read, [this](Ready) {
                const std::string lines = read(auth_connection_);
                if (lines.empty()) return loop().unwatch(auth_connection_.get());
                const auto request = lines.find("AUTH\t");
                if (request == lines.npos) return;
                const std::string id = lines.substr(request + 5, lines.find('\t', request + 5) - request - 5);
                if (lines.find("resp=") == lines.npos) write(auth_connection_, "CONT\t" + id + "\t\n");
                else authd_thinks_ = true;
            });
        });
    }
    struct Client {
        std::string command = {};  // after the greeting
        bool repeats = false;      // it, after each answer
    };
    // What a client has read when it is disconnected. It gets more time until `has_come_far_enough`: a busy machine may
    // need it.
    std::string talk(const Client& client, const std::function<bool(const std::string&)>& has_come_far_enough) {
        std::string answers;
        for (auto time : {50ms, 500ms, 5000ms, 30000ms}) {
            answers = talk(client, time);
            if (has_come_far_enough(answers)) break;
        }
        return answers;
    }
    bool authd_thinks() const { return authd_thinks_; }
    std::string log() {
        std::string text;
        while (auto message = receive_with_fds(log_.get(), 64 << 10)) {
            if (message->bytes.empty()) break;
            text += message->bytes + '\n';
        }
        return text;
    }

private:
    EventLoop& loop() { return service_->loop(); }
    std::string talk(const Client& client, std::chrono::milliseconds login_time) {
        login_time_ = login_time;
        UniqueFd connection = connect();
        std::string all;
        loop().watch(connection.get(), Interest::Read, [&](Ready) {
            const std::string text = read(connection);
            if (text.empty()) return loop().stop();
            if (!client.command.empty() && (all.empty() || client.repeats)) write(connection, client.command);
            all += text;
        });
        const auto guard = loop().after(60s, [this] { loop().stop(); });
        loop().run();
        loop().cancel(guard);
        loop().unwatch(connection.get());
        return all;
    }
    UniqueFd connect() const {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::getsockname(door_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        return fd;
    }
    static void write(const UniqueFd& fd, const std::string& text) {
        (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
    static std::string read(const UniqueFd& fd) {
        char block[4096];
        const ssize_t n = ::recv(fd.get(), block, sizeof block, 0);
        return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : std::string();
    }

    std::string directory_;
    UniqueFd authd_, auth_connection_, log_, control_;
    int door_ = -1;
    bool authd_thinks_ = false;
    std::chrono::milliseconds login_time_{0};
    std::unique_ptr<Service> service_;
    std::unique_ptr<LoginServer> server_;
};

constexpr char kInactive[] = "* BYE Disconnected for inactivity.\r\n";
constexpr char kInactiveInLogin[] = "* BYE Disconnected for inactivity during authentication.\r\n";

TEST_F(LoginTimeTest, IsAsLongAsDovecots) { EXPECT_EQ(LoginSettings().login_time, 180s); }

bool is_greeted(const std::string& answers) { return answers.starts_with("* OK [CAPABILITY "); }

TEST_F(LoginTimeTest, EndsForAClientThatSaysNothing) {
    play_authd();
    const std::string answers = talk({}, is_greeted);
    EXPECT_TRUE(is_greeted(answers) && answers.ends_with(kInactive)) << answers;
    EXPECT_NE(log().find("Disconnected: Inactivity (no auth attempts in "), std::string::npos);
}

TEST_F(LoginTimeTest, IsExtendedByNothingThatAClientSays) {
    play_authd();
    const std::string answers =
        talk({"a NOOP\r\n", true}, [](const std::string& text) { return text.find("a OK") != std::string::npos; });
    EXPECT_TRUE(is_greeted(answers) && answers.ends_with(kInactive)) << answers;
}

TEST_F(LoginTimeTest, EndsInTheMiddleOfAnAuthentication) {
    play_authd();
    const std::string answers = talk({"a AUTHENTICATE PLAIN\r\n"}, [](const std::string& text) {
        return text.find("\n+ \r\n") != std::string::npos;
    });
    EXPECT_TRUE(is_greeted(answers) && answers.ends_with(kInactiveInLogin)) << answers;
    EXPECT_NE(log().find("Disconnected: Inactivity during authentication (client didn't finish SASL auth, waited "),
              std::string::npos);
}

TEST_F(LoginTimeTest, EndsWhileAuthdThinks) {
    play_authd();
    const std::string answers = talk({"a LOGIN bob secret\r\n"}, [this](const std::string&) { return authd_thinks(); });
    EXPECT_TRUE(is_greeted(answers) && answers.ends_with(kInactiveInLogin)) << answers;
    EXPECT_NE(log().find("Disconnected: Inactivity during authentication (disconnected while authenticating, waited "),
              std::string::npos);
}

TEST_F(LoginTimeTest, EndsBeforeTheGreetingToo) {
    EXPECT_EQ(talk({}, [](const std::string&) { return true; }), "") << "authd does not answer";
    EXPECT_NE(log().find("Disconnected: Inactivity (disconnected before auth was ready"), std::string::npos);
}

}  // namespace
}  // namespace culver
