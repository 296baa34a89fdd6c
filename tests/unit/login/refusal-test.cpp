#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "login/core/sent-away.h"
#include "login/core/slow-refusal.h"

namespace culver {
namespace {

using namespace std::chrono_literals;
using Manner = SlowRefusal::Manner;

const SlowRefusal::Clock::time_point kStart{1000h};

struct Pair {
    UniqueFd ours, theirs;
    Pair() {
        int fds[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0) return;
        ours = UniqueFd(fds[0]);
        theirs = UniqueFd(fds[1]);
    }
    // What has come; "..." while the connection is open.
    std::string read() {
        char block[100];
        std::string text;
        while (true) {
            const ssize_t n = ::recv(theirs.get(), block, sizeof block, 0);
            if (n <= 0) return text + (n < 0 ? "..." : "");
            text.append(block, static_cast<std::size_t>(n));
        }
    }
};

TEST(SlowRefusal, ClosesWithAWordWhenTheTimeIsOver) {
    SlowRefusal refusal("* BYE\r\n", {.limit = 10, .time = 2s});
    EXPECT_FALSE(refusal.next());
    Pair first, second, over_tls;
    refusal.add(std::move(first.ours), Manner::WithWords, kStart);
    refusal.add(std::move(over_tls.ours), Manner::Silent, kStart);
    refusal.add(std::move(second.ours), Manner::WithWords, kStart + 1s);
    EXPECT_EQ(refusal.next(), kStart + 2s);
    refusal.close_due(kStart + 1999ms);
    EXPECT_EQ(first.read(), "...");
    refusal.close_due(kStart + 2s);
    EXPECT_EQ(first.read(), "* BYE\r\n");
    EXPECT_EQ(over_tls.read(), "");
    EXPECT_EQ(second.read(), "...");
    EXPECT_EQ(refusal.next(), kStart + 3s);
    refusal.close_all();
    EXPECT_EQ(second.read(), "* BYE\r\n");
}

TEST(SlowRefusal, HasABoundAndThenClosesTheFirst) {
    SlowRefusal refusal("", {.limit = 2, .time = 2s});
    Pair pairs[3];
    for (Pair& pair : pairs) refusal.add(std::move(pair.ours), Manner::WithWords, kStart);
    EXPECT_EQ(refusal.size(), 2u);
    EXPECT_EQ(pairs[0].read(), "");
    EXPECT_EQ(pairs[1].read(), "...");
}

TEST(SlowRefusal, BearsPeersThatAreGoneOrTalkative) {
    SlowRefusal refusal("* BYE\r\n", {.limit = 2, .time = 2s});
    Pair gone, talkative;
    gone.theirs.reset();
    ASSERT_GT(::send(talkative.theirs.get(), std::string(50'000, 'x').data(), 50'000, 0), 0);
    refusal.add(std::move(gone.ours), Manner::WithWords, kStart);
    refusal.add(std::move(talkative.ours), Manner::WithWords, kStart);
    refusal.close_due(kStart + 2s);
    EXPECT_EQ(talkative.read(), "* BYE\r\n");
}

TEST(SentAway, SaysOnceForManyHowManyAndFromWhere) {
    SentAway counter;
    EXPECT_TRUE(counter.empty());
    EXPECT_TRUE(counter.note(*IpAddress::parse("192.0.2.1")));
    EXPECT_EQ(counter.take(), "1 from 192.0.2.0/24");
    EXPECT_TRUE(counter.empty());
    int lines = 0;
    for (int i = 0; i < 1000; ++i) lines += counter.note(*IpAddress::parse("10.0." + std::to_string(i % 50) + ".1"));
    for (int i = 0; i < 21; ++i) lines += counter.note(*IpAddress::parse("2001:db8:1:2::" + std::to_string(i)));
    EXPECT_EQ(lines, 10) << "the first ones have a line of their own";
    EXPECT_EQ(counter.take(), "1021 from 51 networks, most of them from 2001:db8:1:2::/64");
    EXPECT_TRUE(counter.empty());
}

TEST(SentAway, IsBounded) {
    SentAway counter;
    for (int i = 0; i < 12'000; ++i)
        counter.note(*IpAddress::parse("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1"));
    EXPECT_TRUE(counter.take().starts_with("12000 from at least 10000 networks, most of them from 10."));
}

}  // namespace
}  // namespace culver
