#include "lib-auth/penalty.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

using namespace std::chrono_literals;

TEST(Penalty, GrowsWithDistinctWrongGuesses) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    EXPECT_EQ(box.hold("192.0.2.1", now), 0ms);
    const std::chrono::milliseconds expected[] = {4s, 8s, 15s, 15s};
    int guess = 0;
    for (auto hold : expected) {
        box.failed("192.0.2.1", "alice", std::to_string(guess++), now);
        EXPECT_EQ(box.hold("192.0.2.1", now), hold);
    }
    EXPECT_EQ(box.hold("192.0.2.2", now), 0ms) << "another address waits for nothing";
    EXPECT_EQ(box.hold("192.0.2.1", now + 30s), 0ms) << "it is forgotten";
}

TEST(Penalty, IsNotRaisedByTheSameGuessAgain) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    for (int i = 0; i < 5; ++i) box.failed("192.0.2.1", "alice", "old password", now);
    EXPECT_EQ(box.hold("192.0.2.1", now), 4s);
    box.succeeded("192.0.2.1");
    EXPECT_EQ(box.hold("192.0.2.1", now), 0ms);
}

TEST(Penalty, TakesANetworkOfIpv6AndAllWithoutAnAddressTogether) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    box.failed("2001:db8:1:2::1", "alice", "x", now);
    EXPECT_EQ(box.hold("2001:db8:1:2:ffff::9", now), 4s);
    EXPECT_EQ(box.hold("2001:db8:1:3::1", now), 0ms) << "another /64";
    EXPECT_EQ(box.list(now)[0].address, "2001:db8:1:2::/64");
    EXPECT_EQ(box.hold(box.list(now)[0].address, now), 4s) << "by the bucket's own name";
    EXPECT_EQ(box.clear("2001:db8:1:2::/64"), 1u);
    box.failed("::1", "alice", "x", now);
    EXPECT_EQ(box.list(now)[0].address, "0:0:0:0::/64");
    EXPECT_EQ(box.clear("0:0:0:0::/64"), 1u);
    box.failed("::ffff:192.0.2.1", "alice", "x", now);
    EXPECT_EQ(box.hold("192.0.2.1", now), 4s) << "the same client over the other protocol";
    box.failed("", "alice", "x", now);
    EXPECT_EQ(box.hold("garbage", now), 4s);
}

TEST(Penalty, TellsWhatItKnows) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    box.failed("192.0.2.1", "alice", "a", now);
    box.failed("192.0.2.1", "alice", "a", now);
    box.failed("192.0.2.1", "bob", "a", now);
    auto entry = box.find("192.0.2.1", now + 1s);
    EXPECT_EQ(entry.level, 2u);
    EXPECT_EQ(entry.distinct, 2u);
    EXPECT_EQ(entry.attempts, 3u);
    EXPECT_EQ(entry.left, 7s);
    EXPECT_EQ(entry.forget, 28s);
    EXPECT_EQ(box.find("192.0.2.1", now + 30s).level, 0u);
    EXPECT_TRUE(box.list(now + 30s).empty());
    box.failed("192.0.2.1", "alice", "a", now + 40s);
    EXPECT_EQ(box.find("192.0.2.1", now + 40s).level, 1u) << "what was forgotten begins anew";
    EXPECT_EQ(box.find("192.0.2.2", now).level, 0u);
}

TEST(Penalty, StaysBoundedAndKeepsTheLatest) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    for (int i = 0; i < 60000; ++i)
        box.failed("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255),
                   "a", "b", now);
    EXPECT_EQ(box.size(), 20000u);
    EXPECT_EQ(box.hold("10.0.234.95", now), 4s) << "the last one";
    EXPECT_EQ(box.hold("10.0.0.0", now), 0s) << "the first one";
    EXPECT_EQ(box.clear(), 20000u);
    EXPECT_EQ(box.size(), 0u);
}

}  // namespace
}  // namespace culver
