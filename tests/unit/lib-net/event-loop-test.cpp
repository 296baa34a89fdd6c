#include "lib-net/event-loop.h"

#include <gtest/gtest.h>

#include <thread>

using namespace culver;
using namespace std::chrono_literals;

TEST(EventLoop, TimersRunInTheOrderOfTheirTimesAndCancelledOnesNever) {
    EventLoop loop;
    std::string order;
    loop.after(20ms, [&] { order += "b"; });
    loop.after(1ms, [&] { order += "a"; });
    auto id = loop.after(5ms, [&] { order += "x"; });
    loop.cancel(id);
    loop.after(30ms, [&] { loop.stop(); });
    loop.run();
    EXPECT_EQ(order, "ab");
}

TEST(EventLoop, ACallbackMayRemoveAnotherWatchWhoseEventIsPending) {
    EventLoop loop;
    int a[2], b[2];
    ASSERT_EQ(pipe(a), 0);
    ASSERT_EQ(pipe(b), 0);
    int calls = 0;
    auto once = [&](int other) {
        return [&, other](Ready) {
            ++calls;
            loop.unwatch(other);
            loop.stop();
        };
    };
    loop.watch(a[0], Interest::Read, once(b[0]));
    loop.watch(b[0], Interest::Read, once(a[0]));
    ASSERT_EQ(write(a[1], "x", 1), 1);
    ASSERT_EQ(write(b[1], "x", 1), 1);
    loop.run();
    EXPECT_EQ(calls, 1);
    for (int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

TEST(EventLoop, PostRunsOnTheLoopThread) {
    EventLoop loop;
    std::thread::id where;
    std::thread other([&] {
        loop.post([&] {
            where = std::this_thread::get_id();
            loop.stop();
        });
    });
    loop.run();
    other.join();
    EXPECT_EQ(where, std::this_thread::get_id());
}
