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

TEST(Penalty, TakesASiteOfIpv6AndAllWithoutAnAddressTogether) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    box.failed("2001:db8:1::1", "alice", "x", now);
    EXPECT_EQ(box.hold("2001:db8:1:ffff::9", now), 4s);
    EXPECT_EQ(box.hold("2001:db8:2::1", now), 0ms);
    box.failed("", "alice", "x", now);
    EXPECT_EQ(box.hold("garbage", now), 4s);
}

TEST(Penalty, StaysBounded) {
    PenaltyBox box;
    auto now = PenaltyBox::Clock::now();
    for (int i = 0; i < 60000; ++i)
        box.failed("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255),
                   "a", "b", now);
    EXPECT_LE(box.size(), 20000u);
}

}  // namespace
}  // namespace culver
