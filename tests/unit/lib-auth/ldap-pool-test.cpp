// LdapPool while no server can be had; with real servers: tests/system/auth_ldap.py.
#include "lib-auth/ldap/ldap-pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace culver {
namespace {

using namespace std::chrono_literals;

Status unused(LdapConnection&) {
    ADD_FAILURE() << "there is no connection to work with";
    return {};
}

TEST(LdapPool, WaitsLongerAfterEachFailureButNeverLong) {
    EXPECT_EQ(LdapPool::backoff(1), 1s);
    EXPECT_EQ(LdapPool::backoff(2), 2s);
    EXPECT_EQ(LdapPool::backoff(3), 4s);
    EXPECT_EQ(LdapPool::backoff(4), 8s);
    EXPECT_EQ(LdapPool::backoff(4'000'000'000), 8s);
}

TEST(LdapPool, TriesEveryServerOnceAndThenFailsAtOnce) {
    std::vector<std::string> asked;
    LdapPool pool({"ldap://a", "ldap://b"}, [&](const std::string& uri) -> Result<std::unique_ptr<LdapConnection>> {
        asked.push_back(uri);
        return fail(ErrorCode::Unavailable, uri + " is away");
    });
    Status first = pool.run(unused);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code, ErrorCode::Unavailable);
    EXPECT_EQ(first.error().detail, "Can't connect to LDAP server: ldap://a is away; ldap://b is away");
    for (int i = 0; i < 100; ++i) {
        Status next = pool.run(unused);
        ASSERT_FALSE(next);
        EXPECT_EQ(next.error().code, ErrorCode::Unavailable);
        EXPECT_TRUE(next.error().detail.starts_with("LDAP server is down (next attempt in 1 s): ldap://a is away"))
            << next.error().detail;
    }
    EXPECT_EQ(asked, (std::vector<std::string>{"ldap://a", "ldap://b"}));
}

TEST(LdapPool, OneCallerFindsOutWhetherItIsUpAgain) {
    std::atomic<int> attempts = 0;
    LdapPool pool({"ldap://a"}, [&](const std::string&) -> Result<std::unique_ptr<LdapConnection>> {
        ++attempts;
        std::this_thread::sleep_for(100ms);
        return fail(ErrorCode::Unavailable, "away");
    });
    EXPECT_FALSE(pool.run(unused));
    std::this_thread::sleep_for(LdapPool::backoff(1) + 50ms);
    std::vector<std::thread> callers;
    for (int i = 0; i < 16; ++i) callers.emplace_back([&] { EXPECT_FALSE(pool.run(unused)); });
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(attempts, 2);
}

TEST(LdapPool, NeverMakesMoreConnectionsThanItMay) {
    std::atomic<int> now = 0, most = 0;
    LdapPool pool(
        {"ldap://a"},
        [&](const std::string&) -> Result<std::unique_ptr<LdapConnection>> {
            int count = ++now;
            for (int seen = most; seen < count && !most.compare_exchange_weak(seen, count);) {
            }
            std::this_thread::sleep_for(200ms);
            --now;
            return fail(ErrorCode::Unavailable, "away");
        },
        3);
    std::vector<std::thread> callers;
    for (int i = 0; i < 16; ++i) callers.emplace_back([&] { EXPECT_FALSE(pool.run(unused)); });
    for (std::thread& caller : callers) caller.join();
    EXPECT_LE(most, 3);
}

}  // namespace
}  // namespace culver
