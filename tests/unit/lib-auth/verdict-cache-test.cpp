#include "lib-auth/verdict-cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "lib-auth/auth-engine.h"
#include "lib-auth/password-scheme.h"

namespace culver {
namespace {

using namespace std::chrono_literals;

TEST(VerdictCache, RemembersForItsTimeAndForgetsOnRequest) {
    VerdictCache cache(80'000, 60s, 10s);
    auto now = VerdictCache::Clock::now();
    auto right = cache.key("$6$x", "alice", "secret"), wrong = cache.key("$6$x", "alice", "guess"),
         bob = cache.key("$6$x", "bob", "secret");
    cache.put(right, "alice", true, now);
    cache.put(wrong, "alice", false, now);
    cache.put(bob, "bob", true, now);
    EXPECT_EQ(cache.find(right, now), true);
    EXPECT_EQ(cache.find(wrong, now), false);
    EXPECT_EQ(cache.find(cache.key("$6$y", "alice", "secret"), now), std::nullopt) << "another stored hash";
    EXPECT_EQ(cache.find(cache.key("$6$xalice", "", "secret"), now), std::nullopt);
    EXPECT_EQ(cache.find(wrong, now + 11s), std::nullopt);
    EXPECT_EQ(cache.find(right, now + 61s), std::nullopt);
    cache.put(right, "alice", true, now);
    EXPECT_EQ(cache.flush("alice"), 1u);
    EXPECT_EQ(cache.find(bob, now), true);
    EXPECT_EQ(cache.flush(), 1u);
}

TEST(VerdictCache, StaysWithinItsSize) {
    VerdictCache cache(16'000, 60s, 60s);
    auto now = VerdictCache::Clock::now();
    for (int i = 0; i < 10'000; ++i) cache.put(cache.key("h", "u", std::to_string(i)), "u", false, now);
    EXPECT_LE(cache.flush(), 200u);
    VerdictCache off(0, 60s, 60s);
    EXPECT_FALSE(off.is_enabled());
    off.put(off.key("a", "b", "c"), "b", true, now);
    EXPECT_EQ(off.flush(), 0u);
}

TEST(VerdictCache, LetsNobodyInAsSomebodyElseAndFollowsAChangedHash) {
    std::string path = testing::TempDir() + "/verdict-cache-test." + std::to_string(::getpid());
    auto hash = [](const char* password) { return *generate_password("SHA512-CRYPT", {password, "", 1000}); };
    std::string same = hash("secret");
    std::ofstream(path) << "alice:" << same << "\nbob:" << same << "\ncarol:" << hash("other") << "\n";
    AuthSettings settings;
    settings.cache_size = 1'000'000;
    PassDbSettings passdb;
    passdb.driver = "passwd-file";
    passdb.args = path;
    settings.passdbs = {passdb};
    PasswdFileRegistry files;
    auto engine = *AuthEngine::create(settings, DriverContext{&files, nullptr});
    auto log_in = [&](const char* user, const char* password, Work limit) {
        AuthRequest request;
        EXPECT_TRUE(engine->set_user(request, user));
        auto walk = engine->start_verify(request, SecretString(password));
        return engine->advance(*walk, limit);
    };
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(log_in("alice", "secret", Work::Cpu), AuthResult::Ok);
        EXPECT_EQ(log_in("carol", "secret", Work::Cpu), AuthResult::Mismatch);
        EXPECT_EQ(log_in("bob", "wrong", Work::Cpu), AuthResult::Mismatch);
        EXPECT_EQ(log_in("nobody", "secret", Work::Cpu), AuthResult::UnknownUser);
    }
    EXPECT_EQ(log_in("alice", "secret", Work::Cheap), AuthResult::Ok) << "a known verdict needs no core";
    EXPECT_EQ(log_in("alice", "fresh guess", Work::Cheap), std::nullopt);
    std::ofstream(path, std::ios::app) << "# changed\n";
    std::ofstream(path) << "alice:" << hash("new password") << "\n";
    EXPECT_EQ(log_in("alice", "secret", Work::Blocking), AuthResult::Mismatch);
    EXPECT_EQ(log_in("alice", "new password", Work::Blocking), AuthResult::Ok);
    EXPECT_GT(engine->flush_cache({"alice"}), 0u);
    std::remove(path.c_str());
}

}  // namespace
}  // namespace culver
