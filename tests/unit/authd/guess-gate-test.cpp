#include "authd/guess-gate.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

using namespace std::chrono_literals;

class GuessGateTest : public testing::Test {
protected:
    bool enter(const std::string& ip, GuessGate::Rank rank = GuessGate::Rank::Other) {
        return gate.enter(ip, rank,
                          {[this, ip, rank] { started += rank == GuessGate::Rank::KnownGood ? "K" : ip.substr(0, 1); },
                           [this] { ++refused; }});
    }
    void run_for(std::chrono::milliseconds time) {
        loop.after(time, [this] { loop.stop(); });
        loop.run();
    }
    EventLoop loop;
    PenaltyBox box;
    GuessGate gate{loop, box, 3};
    std::string started;
    int refused = 0;
};

TEST_F(GuessGateTest, LetsAFewThroughAndTheOthersAsTheyAreAnswered) {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(enter("1.0.0.1"));
    EXPECT_EQ(started, "111");
    enter("2.0.0.1");
    EXPECT_EQ(started, "1112") << "another address";
    gate.leave("1.0.0.1");
    gate.leave("1.0.0.1");
    EXPECT_EQ(started, "111211");
    EXPECT_EQ(gate.waiting(), 5u);
    for (int i = 0; i < 8; ++i) gate.leave("1.0.0.1");
    EXPECT_EQ(gate.waiting(), 0u);
    gate.leave("1.0.0.1");
    EXPECT_EQ(started.size(), 11u);
}

TEST_F(GuessGateTest, AFailureHoldsThoseThatWait) {
    for (int i = 0; i < 10; ++i) enter("1.0.0.1");
    // As if its refusal had been heard almost 4 seconds ago: the hold of level 1 ends in 100 ms.
    auto heard = PenaltyBox::Clock::now() - 3900ms;
    box.failed("1.0.0.1", "alice", "x", heard);
    for (int i = 0; i < 3; ++i) gate.leave("1.0.0.1");
    EXPECT_EQ(started, "111");
    run_for(30ms);
    EXPECT_EQ(started, "111") << "held";
    run_for(200ms);
    EXPECT_EQ(started, "1111") << "one at a time, once there is a penalty";
    box.succeeded("1.0.0.1");
    gate.leave("1.0.0.1");
    EXPECT_EQ(started, "1111111") << "a success lifts it";
}

TEST_F(GuessGateTest, KnownUsersDoNotWaitBehindTheGuesses) {
    for (int i = 0; i < 6; ++i) enter("1.0.0.1");
    enter("1.0.0.1", GuessGate::Rank::KnownGood);
    gate.leave("1.0.0.1");
    EXPECT_EQ(started, "111K");
}

TEST_F(GuessGateTest, OneNetworkOfIpv6IsOneAddress) {
    for (int i = 0; i < 6; ++i) enter("2001:db8::" + std::to_string(i));
    EXPECT_EQ(started, "222");
}

TEST_F(GuessGateTest, WaitingIsBounded) {
    int accepted = 0;
    for (int i = 0; i < 2000; ++i) accepted += enter("1.0.0.1");
    EXPECT_EQ(accepted, 1003);
}

TEST_F(GuessGateTest, AGuessThatEndsAtOnceDoesNotConfuseIt) {
    int runs = 0;
    std::function<void()> start = [&] {
        ++runs;
        gate.leave("1.0.0.1");
    };
    for (int i = 0; i < 100; ++i) gate.enter("1.0.0.1", GuessGate::Rank::Other, {start, [] {}});
    EXPECT_EQ(runs, 100);
    EXPECT_EQ(gate.waiting(), 0u);
}

}  // namespace
}  // namespace culver
