#include "authd/fair-queue.h"

#include <gtest/gtest.h>

#include <string>

namespace culver {
namespace {

class FairQueueTest : public testing::Test {
protected:
    // Pushes a job that writes its name into `ran`; false if it found no place.
    bool push(std::uint64_t network, Standing standing, const std::string& name) {
        auto pushed = queue.push(network, standing,
                                 {[this, name] { ran += name + " "; }, [this, name] { refused += name + " "; }});
        if (pushed.displaced) pushed.displaced->refused();
        return pushed.accepted;
    }
    std::string run(int count = 1000) {
        ran.clear();
        for (int i = 0; i < count; ++i) {
            auto job = queue.pop();
            if (!job) break;
            job->run();
        }
        return ran;
    }
    FairQueue queue{{10, 6}};
    std::string ran, refused;
};

TEST_F(FairQueueTest, NetworksTakeTurns) {
    for (int i = 1; i <= 4; ++i) push(1, Standing::Unknown, "a" + std::to_string(i));
    push(2, Standing::Unknown, "b1");
    push(3, Standing::Unknown, "c1");
    push(2, Standing::Unknown, "b2");
    EXPECT_EQ(run(), "a1 b1 a2 c1 b2 a3 a4 ");
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.pop());
}

TEST_F(FairQueueTest, KnownUsersGoFirstAndPenalisedAddressesLast) {
    push(1, Standing::Penalised, "bad");
    push(1, Standing::Unknown, "new");
    push(1, Standing::KnownGood, "known");
    EXPECT_EQ(run(), "known new bad ");
}

TEST_F(FairQueueTest, NobodyStarves) {
    push(1, Standing::Penalised, "bad");
    push(2, Standing::Unknown, "new");
    std::string order;
    for (int i = 0; i < 60; ++i) {
        push(3, Standing::KnownGood, "k");
        order += run(1);
    }
    EXPECT_NE(order.find("new"), order.npos);
    EXPECT_NE(order.find("bad"), order.npos);
    EXPECT_LT(order.find("new"), order.find("bad"));
}

TEST_F(FairQueueTest, ANetworkHasABoundOfItsOwn) {
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(push(1, Standing::Unknown, "a"));
    EXPECT_FALSE(push(1, Standing::Unknown, "a"));
    EXPECT_TRUE(push(2, Standing::Unknown, "b"));
    EXPECT_EQ(refused, "");
    FairQueue webmail{{100, 6}};
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(webmail.push(1, Standing::KnownGood, {[] {}, [] {}}).accepted);
    EXPECT_FALSE(webmail.push(1, Standing::KnownGood, {[] {}, [] {}}).accepted);
}

TEST_F(FairQueueTest, WhenItIsFullTheNewestOfTheGreediestGoes) {
    for (int i = 1; i <= 6; ++i) push(1, Standing::Unknown, "a" + std::to_string(i));
    for (int i = 1; i <= 4; ++i) push(2, Standing::Unknown, "b" + std::to_string(i));
    EXPECT_TRUE(push(3, Standing::Unknown, "c1"));
    EXPECT_EQ(refused, "a6 ");
    EXPECT_FALSE(push(2, Standing::Unknown, "b5")) << "as greedy as the greediest now";
    EXPECT_TRUE(push(4, Standing::KnownGood, "k"));
    EXPECT_EQ(refused, "a6 a5 ");
    EXPECT_EQ(queue.size(), 10u);
    EXPECT_EQ(run(), "k a1 b1 a2 c1 b2 a3 b3 a4 b4 ");
}

TEST_F(FairQueueTest, ThePenalisedMakeRoomFirstAndKnownUsersNever) {
    push(9, Standing::Penalised, "p");
    for (int i = 0; i < 6; ++i) push(1, Standing::Unknown, "a");
    for (int i = 0; i < 3; ++i) push(2, Standing::Unknown, "b");
    EXPECT_TRUE(push(3, Standing::Unknown, "c"));
    EXPECT_EQ(refused, "p ");
    EXPECT_FALSE(push(9, Standing::Penalised, "p"));
    FairQueue small{{2, 2}};
    auto nothing = [] {};
    EXPECT_TRUE(small.push(1, Standing::KnownGood, {nothing, nothing}).accepted);
    EXPECT_TRUE(small.push(1, Standing::KnownGood, {nothing, nothing}).accepted);
    EXPECT_FALSE(small.push(2, Standing::KnownGood, {nothing, nothing}).accepted);
}

TEST(FairQueue, InAFloodWhoComesLastIsServedNextAndWhoCameFirstToo) {
    FairQueue queue{{5000, 10}};
    std::string order;
    auto push = [&](std::uint64_t network) {
        queue.push(network, Standing::Unknown, {[&order, network] { order += std::to_string(network) + " "; }, [] {}});
    };
    for (std::uint64_t network = 1; network <= 1000; ++network) push(network);
    for (int i = 0; i < 6; ++i) queue.pop()->run();
    EXPECT_EQ(order, "1000 1 2 999 3 4 ");
    order.clear();
    push(7777);
    for (int i = 0; i < 3; ++i) queue.pop()->run();
    EXPECT_NE(order.find("7777 "), order.npos) << order;
}

TEST(FairQueue, StaysConsistentUnderAFloodFromManyNetworks) {
    FairQueue queue{{500, 20}};
    int ran = 0, refused = 0, pushed = 0;
    for (int i = 0; i < 20000; ++i) {
        ++pushed;
        auto result = queue.push(static_cast<std::uint64_t>(i) * 7919 % 613, static_cast<Standing>(i % 3),
                                 {[&] { ++ran; }, [&] { ++refused; }});
        if (!result.accepted) ++refused;
        if (result.displaced) result.displaced->refused();
        ASSERT_LE(queue.size(), 500u);
        if (i % 3 == 0) queue.pop()->run();
    }
    while (auto job = queue.pop()) job->run();
    EXPECT_EQ(ran + refused, pushed);
    EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace culver
