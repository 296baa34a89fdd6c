#include "lib-service/login-handover.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

LoginHandover example() {
    LoginHandover handover;
    handover.ticket = {.client_pid = 4711, .auth_id = 3, .cookie = "0123456789abcdef", .session_pid = std::nullopt};
    handover.user = "bob@example.test";
    handover.tag = "a1";
    handover.session = "k2Yh3gFf0bB/AAAB";
    handover.local_ip = "192.0.2.1";
    handover.remote_ip = "2001:db8::7";
    handover.local_port = 993;
    handover.remote_port = 50000;
    handover.tls = true;
    handover.client_asked_capability = true;
    handover.pending_input = std::string("a2 NOOP\r\n\0x", 11);
    return handover;
}

TEST(LoginHandover, ComesBackAsItWent) {
    const LoginHandover before = example();
    auto after = LoginHandover::deserialize(before.serialize());
    ASSERT_TRUE(after) << after.error().detail;
    EXPECT_EQ(after->serialize(), before.serialize());
    EXPECT_EQ(after->user, before.user);
    EXPECT_EQ(after->pending_input, before.pending_input);
    EXPECT_EQ(after->local_port, 993);
    EXPECT_EQ(after->remote_port, 50000);
    EXPECT_TRUE(after->tls);
    EXPECT_FALSE(after->secured);
    EXPECT_FALSE(after->ticket.session_pid);
}

TEST(LoginHandover, ASessionPidTravelsOnlyIfThereIsOne) {
    LoginHandover handover = example();
    handover.ticket.session_pid = 99;
    EXPECT_EQ(LoginHandover::deserialize(handover.serialize())->ticket.session_pid, 99u);
}

TEST(LoginHandover, EveryTruncationIsAnErrorAndSoIsATail) {
    const std::string bytes = example().serialize();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        auto result = LoginHandover::deserialize(std::string_view(bytes).substr(0, size));
        ASSERT_FALSE(result) << size;
        EXPECT_EQ(result.error().code, ErrorCode::Corrupt);
    }
    EXPECT_FALSE(LoginHandover::deserialize(bytes + "x"));
}

TEST(LoginHandover, AnotherVersionIsRefused) {
    std::string bytes = example().serialize();
    bytes[0] = 2;
    EXPECT_FALSE(LoginHandover::deserialize(bytes));
}

TEST(HandoverReply, BothAnswersComeBackAsTheyWent) {
    HandoverReply ok{.ok = true, .mail_pid = 123, .code = {}, .text = {}};
    EXPECT_EQ(ok.to_line(), "OK 123\n");
    EXPECT_EQ(HandoverReply::parse("OK 123\n")->mail_pid, 123);
    HandoverReply no{.ok = false, .mail_pid = 0, .code = "limit", .text = "Too many\nconnections"};
    EXPECT_EQ(no.to_line(), "FAIL limit Too many connections\n");
    auto parsed = HandoverReply::parse(no.to_line());
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->ok);
    EXPECT_EQ(parsed->code, "limit");
    EXPECT_EQ(parsed->text, "Too many connections");
}

TEST(HandoverReply, RubbishIsAnError) {
    for (auto line : {"", "OK", "OK \n", "OK x\n", "OK -1\n", "NO\n", "FAIL\n", "OKAY 1\n"})
        EXPECT_FALSE(HandoverReply::parse(line)) << line;
}

}  // namespace
}  // namespace culver
