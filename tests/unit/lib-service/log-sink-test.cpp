#include "lib-service/log-sink.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <regex>

#include "lib-base/file.h"

namespace culver {
namespace {

class LogSinkTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/culver-log-XXXXXX";
        ASSERT_TRUE(::mkdtemp(name));
        directory_ = name;
    }
    void TearDown() override { [[maybe_unused]] int rc = std::system(("rm -rf " + directory_).c_str()); }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string directory_;
};

TEST_F(LogSinkTest, FilesHaveATimestampAndALevelBehindThePrefix) {
    LogTargets targets;
    targets.log_path = path("log");
    auto writer = LogWriter::open(targets);
    ASSERT_TRUE(writer) << writer.error().detail;
    (*writer)->write(LogLevel::Info, "imap-login: Login: user=<bob>");
    (*writer)->write(LogLevel::Error, "imap(bob)<1><x>: cannot open: /a: no");
    const std::string text = *read_file(path("log"));
    EXPECT_TRUE(std::regex_match(
        text,
        std::regex("[A-Z][a-z]{2} \\d\\d \\d\\d:\\d\\d:\\d\\d imap-login: Info: Login: user=<bob>\n"
                   "[A-Z][a-z]{2} \\d\\d \\d\\d:\\d\\d:\\d\\d imap\\(bob\\)<1><x>: Error: cannot open: /a: no\n")))
        << text;
    struct stat st;
    ASSERT_EQ(::stat(path("log").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(LogSinkTest, InformationAndDebuggingMayGoElsewhere) {
    LogTargets targets;
    targets.log_path = path("log");
    targets.info_log_path = path("info");
    targets.debug_log_path = path("debug");
    targets.timestamp = "";
    auto writer = LogWriter::open(targets);
    ASSERT_TRUE(writer);
    (*writer)->write(LogLevel::Warning, "a: w");
    (*writer)->write(LogLevel::Info, "a: i");
    (*writer)->write(LogLevel::Debug, "a: d");
    EXPECT_EQ(*read_file(path("log")), "a: Warning: w\n");
    EXPECT_EQ(*read_file(path("info")), "a: Info: i\n");
    EXPECT_EQ(*read_file(path("debug")), "a: Debug: d\n");
}

TEST_F(LogSinkTest, AfterARotationANewFileIsWritten) {
    LogTargets targets;
    targets.log_path = path("log");
    targets.timestamp = "";
    auto writer = LogWriter::open(targets);
    (*writer)->write(LogLevel::Info, "a: one");
    ASSERT_EQ(::rename(path("log").c_str(), path("old").c_str()), 0);
    (*writer)->reopen();
    (*writer)->write(LogLevel::Info, "a: two");
    EXPECT_EQ(*read_file(path("old")), "a: Info: one\n");
    EXPECT_EQ(*read_file(path("log")), "a: Info: two\n");
}

TEST_F(LogSinkTest, SyslogLinesHaveOurTagAndNoLevelForInformation) {
    UniqueFd daemon(::socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path("devlog").c_str());
    ASSERT_EQ(::bind(daemon.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    LogTargets targets;
    targets.syslog_socket = path("devlog");
    auto writer = LogWriter::open(targets);
    char buffer[1000];
    const std::pair<LogLevel, const char*> cases[] = {
        {LogLevel::Info, "<22>... .. ..:..:.. dovecot: imap-login: Login: x"},
        {LogLevel::Warning, "<20>... .. ..:..:.. dovecot: imap-login: Warning: Login: x"},
        {LogLevel::Fatal, "<18>... .. ..:..:.. dovecot: imap-login: Fatal: Login: x"},
    };
    for (auto [level, expected] : cases) {
        (*writer)->write(level, "imap-login: Login: x");
        const ssize_t n = ::recv(daemon.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        ASSERT_GT(n, 0);
        EXPECT_TRUE(std::regex_match(std::string(buffer, static_cast<std::size_t>(n)), std::regex(expected)))
            << std::string(buffer, static_cast<std::size_t>(n));
    }
}

TEST_F(LogSinkTest, AFileThatCannotBeOpenedIsNamed) {
    LogTargets targets;
    targets.log_path = path("no/such/log");
    auto writer = LogWriter::open(targets);
    ASSERT_FALSE(writer);
    EXPECT_NE(writer.error().detail.find(path("no/such/log")), std::string::npos);
}

TEST(LogLine, TheLevelStandsBehindThePrefixOrInFront) {
    EXPECT_EQ(line_with_level(LogLevel::Error, "auth: x: y"), "auth: Error: x: y");
    EXPECT_EQ(line_with_level(LogLevel::Error, "no prefix"), "Error: no prefix");
}

}  // namespace
}  // namespace culver
