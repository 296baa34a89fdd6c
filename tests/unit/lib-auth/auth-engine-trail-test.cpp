// The trail of a login: which database said what, and the line of the log.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lib-auth/auth-engine.h"
#include "lib-auth/login-trail.h"
#include "lib-base/log.h"

using namespace culver;

namespace {
class TrailTest : public ::testing::Test {
protected:
    TrailTest() {
        folder = std::filesystem::temp_directory_path() / fmt::format("culver-trail-{}", ::getpid());
        std::filesystem::create_directories(folder);
        settings.username_chars.clear();
    }
    ~TrailTest() override { std::filesystem::remove_all(folder); }

    PassDbSettings& passdb(const std::string& name, const std::string& text) {
        std::ofstream(folder / name) << text;
        PassDbSettings db;
        db.driver = "passwd-file";
        db.args = (folder / name).string();
        settings.passdbs.push_back(db);
        return settings.passdbs.back();
    }

    // The folder's name taken out of the trail.
    std::string log_in(const std::string& user, const std::string& password) {
        DriverContext context;
        context.files = &files;
        auto engine = AuthEngine::create(settings, context);
        if (!engine) return engine.error().detail;
        request = AuthRequest();
        request.service = "imap";
        request.mechanism = "PLAIN";
        request.remote_ip = "192.0.2.1";
        if (auto named = (*engine)->set_user(request, user); !named) return named.error().detail;
        result = (*engine)->verify(request, SecretString(password));
        return strip(request.trail.text());
    }

    std::string strip(std::string text) const {
        const std::string prefix = folder.string() + "/";
        for (std::size_t at; (at = text.find(prefix)) != text.npos;) text.erase(at, prefix.size());
        return text;
    }

    std::filesystem::path folder;
    PasswdFileRegistry files;
    AuthSettings settings;
    AuthRequest request;
    AuthResult result = AuthResult::Ok;
};

TEST_F(TrailTest, SaysWhatEachDatabaseSaid) {
    passdb("first",
           "alice:{PLAIN}one\nnet:{PLAIN}x::::::allow_nets=10.0.0.0/8\nno::\nodd:{NOSUCH}x\nf:{PLAIN}x::::::fail\n");
    passdb("second", "alice:{PLAIN}two\n");
    EXPECT_EQ(log_in("alice", "one"), "passwd-file(first): matched");
    EXPECT_EQ(log_in("alice", "two"), "passwd-file(first): password mismatch; passwd-file(second): matched");
    EXPECT_EQ(log_in("alice", "x"), "passwd-file(first): password mismatch; passwd-file(second): password mismatch");
    EXPECT_EQ(log_in("bob", "x"), "passwd-file(first): unknown user; passwd-file(second): unknown user");
    EXPECT_EQ(log_in("net", "x"),
              "passwd-file(first): allow_nets check failed: IP 192.0.2.1 not in 10.0.0.0/8; "
              "passwd-file(second): unknown user");
    EXPECT_EQ(log_in("no", "x"),
              "passwd-file(first): password mismatch, none is stored; passwd-file(second): unknown user");
    EXPECT_EQ(log_in("odd", "x"),
              "passwd-file(first): the stored password cannot be used (see the error above); "
              "passwd-file(second): unknown user");
    EXPECT_EQ(log_in("f", "x"),
              "passwd-file(first): the field fail refuses every login; passwd-file(second): unknown user");
}

TEST_F(TrailTest, PasswordsAreLoggedForWhoAsksForThatAlone) {
    passdb("users", "alice:{PLAIN}stored-word\n");
    std::string log;
    set_log_sink([&](LogLevel, std::string_view text) { log += std::string(text) + '\n'; });
    set_log_debug(true);
    settings.debug = true;
    for (bool wanted : {false, true}) {
        settings.debug_passwords = wanted;
        log.clear();
        log_in("alice", "given-word");
        EXPECT_EQ(log.find("given-word") != log.npos, wanted) << log;
        EXPECT_EQ(log.find("stored-word") != log.npos, wanted) << log;
        EXPECT_EQ(request.trail.text().find("-word"), std::string::npos) << request.trail.text();
    }
    set_log_debug(false);
    set_log_sink({});
}

TEST_F(TrailTest, SaysWhyADatabaseWasNotAsked) {
    passdb("a", "alice:{PLAIN}one\n").mechanisms = "login";
    passdb("b", "alice:{PLAIN}one\n").username_filter = "!alice";
    passdb("c", "alice:{PLAIN}one\n").skip = "unauthenticated";
    passdb("d", "alice:{PLAIN}one\n").result_success = "return-fail";
    EXPECT_EQ(
        log_in("alice", "one"),
        "passwd-file(a): not asked, its mechanisms leave this one out; passwd-file(b): not asked, its "
        "username_filter leaves this user out; passwd-file(c): not asked, skip = unauthenticated; passwd-file(d): "
        "matched (but by result_success of the last database nobody is let in)");
    EXPECT_EQ(result, AuthResult::RuledOut);
}

TEST_F(TrailTest, NamesDeniedUsersMastersAndFailures) {
    settings.master_user_separator = "*";
    passdb("denied", "eve:\n").deny = true;
    passdb("masters", "boss:{PLAIN}b\n").master = true;
    passdb("gone", "");
    std::filesystem::remove(folder / "gone");
    EXPECT_EQ(log_in("eve", "x"), "passwd-file(denied): denied (deny = yes)");
    EXPECT_EQ(log_in("alice*boss", "b"), "passwd-file(masters) as master: matched");
    EXPECT_EQ(request.master_user, "boss");
    EXPECT_EQ(request.user, "alice");
    std::string trail = log_in("alice", "x");
    EXPECT_TRUE(trail.starts_with("passwd-file(gone): internal failure: stat(gone)")) << trail;
}

TEST_F(TrailTest, EqualDatabasesAreToldApartAndArgumentsStayPrivate) {
    auto& db = passdb("a", "");
    db.origin = {"/etc/dovecot/dovecot.conf", 12};
    settings.passdbs.push_back(db);
    settings.passdbs.back().origin.line = 20;
    PassDbSettings fixed;
    fixed.driver = "static";
    fixed.args = "password=secret/with/slashes";
    settings.passdbs.push_back(fixed);
    EXPECT_EQ(log_in("x", "y"),
              "passwd-file(a) [/etc/dovecot/dovecot.conf:12]: unknown user; "
              "passwd-file(a) [/etc/dovecot/dovecot.conf:20]: unknown user; static: password mismatch");
}

TEST_F(TrailTest, TheLineHasWhoWhereAndWhyButNoPassword) {
    passdb("users", "alice:{PLAIN}stored-secret\n");
    log_in("alice", "given-secret");
    request.session = "abc";
    EXPECT_EQ(
        strip(login_refused_line(request)),
        "Login refused: user=<alice>, service=imap, mech=PLAIN, rip=192.0.2.1, session=<abc>: passwd-file(users): "
        "password mismatch");
    log_in("alice", "stored-secret");
    EXPECT_EQ(strip(login_accepted_line(request)),
              "Login accepted: user=<alice>, service=imap, mech=PLAIN, rip=192.0.2.1: passwd-file(users): matched");
    AuthRequest nobody;
    EXPECT_EQ(login_refused_line(nobody), "Login refused: user=<>: no database was asked");
}

TEST(LoginTrailTest, IsBounded) {
    LoginTrail trail;
    for (int i = 0; i < 1000; ++i) trail.add("database", "said something rather long about this login");
    trail.add("x", std::string(100'000, 'y'));
    trail.remark(std::string(100'000, 'y'));
    EXPECT_EQ(trail.text().size(), LoginTrail::kLimit + 3);
}

TEST(RefusalLogLimitTest, CountsWhatItSkipsAndForgetsQuietAddresses) {
    RefusalLogLimit limit;
    RefusalLogLimit::Clock::time_point now{};
    std::uint64_t skipped = 0;
    unsigned logged = 0;
    for (int i = 0; i < 1000; ++i) logged += limit.allows("192.0.2.1", now, skipped);
    EXPECT_EQ(logged, RefusalLogLimit::kPerMinute);
    EXPECT_TRUE(limit.allows("192.0.2.2", now, skipped)) << "another address is not held for it";
    EXPECT_TRUE(limit.allows("192.0.2.1", now + std::chrono::seconds(61), skipped));
    EXPECT_EQ(skipped, 1000 - RefusalLogLimit::kPerMinute);
    logged = 0;
    for (int i = 0; i < 1000; ++i) logged += limit.allows(fmt::format("2001:db8::{:x}", i), now, skipped);
    EXPECT_EQ(logged, RefusalLogLimit::kPerMinute) << "a /64 is one";
    logged = 0;
    for (int i = 0; i < 20'000; ++i)
        logged += limit.allows(fmt::format("10.{}.{}.1", i / 250, i % 250), now + std::chrono::seconds(1), skipped);
    EXPECT_EQ(logged, 20'000u);
}
}  // namespace
