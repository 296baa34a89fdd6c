// What dispatcher and worker tell each other, the list of sessions, and who a user is on this machine.
#include <gtest/gtest.h>

#include "imapd/session-job.h"
#include "imapd/session-list.h"
#include "imapd/session-log.h"

namespace culver {
namespace {

TEST(SessionJob, ArrivesAsItWasSent) {
    SessionJob job;
    job.id = 42;
    job.username = "bob@example.test";
    job.home = "/srv/mail/bob";
    job.uid = "5000";
    job.gid = "5001";
    job.overrides = {{"mail_location", "maildir:~/Maildir"}, {"quota_rule", std::string("a:b\n\0c", 6)}};
    job.login.tag = "a1";
    job.login.session = "abcdefgh";
    job.login.pending_input = "a2 NOOP\r\n";
    const auto copy = SessionJob::deserialize(job.serialize());
    ASSERT_TRUE(copy.has_value());
    EXPECT_EQ(copy->id, 42u);
    EXPECT_EQ(copy->username, job.username);
    EXPECT_EQ(copy->overrides, job.overrides);
    EXPECT_EQ(copy->login.tag, "a1");
    EXPECT_EQ(copy->login.pending_input, "a2 NOOP\r\n");
}

TEST(SessionJob, RefusesEveryTruncation) {
    SessionJob job;
    job.id = 1;
    job.username = "bob";
    const std::string bytes = job.serialize();
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(SessionJob::deserialize(bytes.substr(0, size)).has_value()) << size;
}

TEST(SessionJob, KnowsTheEndOfASession) {
    EXPECT_EQ(parse_session_ended(session_ended_message(17)), 17u);
    EXPECT_EQ(parse_session_ended("ended"), 0u);
    EXPECT_EQ(parse_session_ended("ended x"), 0u);
}

TEST(SessionReport, HasAllSessionsInMessagesOfBoundedSize) {
    const auto none = session_report_messages({});
    ASSERT_EQ(none.size(), 1u);
    EXPECT_TRUE(parse_session_report(none[0]).value().empty());
    std::vector<ReportedSession> sessions;
    for (std::uint64_t id = 1; id <= 2000; ++id) sessions.push_back({id << 40, std::string(250, 'u'), "192.0.2.1"});
    std::vector<ReportedSession> arrived;
    for (const std::string& message : session_report_messages(sessions)) {
        EXPECT_LT(message.size(), 64u << 10);
        const auto some = parse_session_report(message);
        ASSERT_TRUE(some);
        arrived.insert(arrived.end(), some->begin(), some->end());
    }
    ASSERT_EQ(arrived.size(), sessions.size());
    EXPECT_EQ(arrived.back().id, sessions.back().id);
    EXPECT_EQ(arrived.back().username, sessions.back().username);
    EXPECT_EQ(arrived.back().remote_ip, "192.0.2.1");
    EXPECT_FALSE(parse_session_report("ended 1"));
    for (const char* bad : {"sessions x", "sessions 1:0", "sessions 1:7", "sessions 1:71:u", "sessions 1:71:u9:"})
        EXPECT_FALSE(parse_session_report(bad)) << bad;
}

TEST(SessionList, ASessionOfAnEarlierDispatcherCountsOnceAndGoesByItsNumber) {
    SessionList list(100);
    EXPECT_TRUE(list.add_known(7, {"bob", "192.0.2.1", 10}));
    EXPECT_FALSE(list.add_known(7, {"bob", "192.0.2.1", 10}));
    EXPECT_EQ(list.count("bob", "192.0.2.1"), 1u);
    EXPECT_EQ(list.add({"bob", "192.0.2.1", 0}), 101u);
    EXPECT_EQ(list.remove(7).pid, 10);
    EXPECT_EQ(list.count("bob", "192.0.2.1"), 1u);
}

TEST(SessionList, CountsPerUserAndAddress) {
    SessionList list;
    const auto first = list.add({"bob", "192.0.2.1", 0});
    const auto second = list.add({"bob", "192.0.2.1", 0});
    list.add({"bob", "192.0.2.2", 12});
    list.set_pid(first, 10);
    list.set_pid(second, 11);
    EXPECT_EQ(list.count("bob", "192.0.2.1"), 2u);
    EXPECT_EQ(list.remove(first).pid, 10);
    EXPECT_EQ(list.remove(first).pid, 0);
    EXPECT_EQ(list.count("bob", "192.0.2.1"), 1u);
    EXPECT_EQ(list.remove_all_of(11), 1u);
    EXPECT_EQ(list.count("bob", "192.0.2.1"), 0u);
    EXPECT_EQ(list.lines(), "bob\timap\t12\t192.0.2.2\t3\n");
    EXPECT_EQ(list.pid_of(3), 12);
    EXPECT_EQ(list.pid_of(4), 0);
}

TEST(Timing, IsRoundedUpToMilliseconds) {
    using namespace std::chrono_literals;
    std::string text;
    append_timing(text, 1us, 0ns, 0ns);
    EXPECT_EQ(text, " (0.001 + 0.000 secs).");
    text.clear();
    append_timing(text, 3046ms, 2ms, 3040ms);
    EXPECT_EQ(text, " (3.046 + 3.042 + 3.040 secs).");
}

}  // namespace
}  // namespace culver
