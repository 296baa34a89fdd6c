// Stored passwords that renew themselves at a login.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "lib-auth/auth-engine.h"
#include "lib-auth/passwd-file-store.h"
#include "lib-auth/passwd-file.h"

using namespace culver;

namespace {
const auto kAny = [](std::string_view) { return true; };

TEST(WithNewPasswordTest, ChangesOneFieldOfOneLineAndNothingElse) {
    struct Row {
        std::string_view text, user, expected;  // expected empty: refused
    };
    for (const Row& row : {
             Row{"a:x\nb:y:1:2\n", "b", "a:x\nb:NEW:1:2\n"},
             Row{"a:x", "a", "a:NEW"},
             Row{"a:x\r\nb:y\r\n", "a", "a:NEW\r\nb:y\r\n"},
             Row{"# a:x\n\n  a:x\na::1:1::/home:sh:k=v a:x\n", "a", "# a:x\n\n  a:x\na:NEW:1:1::/home:sh:k=v a:x\n"},
             Row{"aa:x\na@b:y\na:z\na:second\n", "a", "aa:x\na@b:y\na:NEW\na:second\n"},
             Row{"a\n", "a", ""},
             Row{"a\r\na:x\r\n", "a", ""},
             Row{std::string_view("a:x:\0\na:x\n", 10), "a", std::string_view("a:x:\0\na:NEW\n", 12)},
             Row{"a:x\n", "b", ""},
             Row{"", "a", ""},
             Row{"a:x\n", "", ""},
             Row{"a:b:x\n", "a:b", ""},
             Row{"#a:x\n", "#a", ""},
         }) {
        auto changed = with_new_password(row.text, row.user, "NEW", kAny);
        EXPECT_EQ(changed.value_or(""), row.expected) << row.text;
    }
    EXPECT_FALSE(with_new_password("a:x\n", "a", "NE:W", kAny));
    EXPECT_FALSE(with_new_password("a:x\n", "a", "NE\nW", kAny));
    EXPECT_FALSE(with_new_password("a:x\n", "a", "NEW", [](std::string_view field) { return field != "x"; }));
    std::string long_line = "a:x:" + std::string(kPasswdLineLimit - 6, 'y');
    EXPECT_TRUE(with_new_password(long_line + "\n", "a", "NEW", kAny));
    EXPECT_FALSE(with_new_password(long_line + "y\n", "a", "NEW", kAny)) << "the user would be gone";
}

class UpgradeTest : public ::testing::Test {
protected:
    UpgradeTest() {
        folder = std::filesystem::temp_directory_path() / fmt::format("culver-upgrade-{}", ::getpid());
        std::filesystem::create_directories(folder);
        write(
            "# users\nalice:{PLAIN}secret:1:1::/a::k=v\nbob:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=\n"
            "any:::::::nopassword\ntrunc:{PLAIN-TRUNC}6-secret\nother:{PLAIN}secret::::::user=alice\n");
        settings.password_upgrade_scheme = "SHA256";
        PassDbSettings db;
        db.driver = "passwd-file";
        db.args = path();
        settings.passdbs.push_back(db);
    }
    ~UpgradeTest() override { std::filesystem::remove_all(folder); }

    std::string path() const { return (folder / "users").string(); }
    void write(const std::string& text) { std::ofstream(path()) << text; }
    std::string read() const {
        std::stringstream text;
        text << std::ifstream(path()).rdbuf();
        return text.str();
    }
    // True if the login succeeded and it is its turn to be upgraded.
    bool log_in(const std::string& user, const std::string& password) {
        DriverContext context;
        context.files = &files;
        auto made = AuthEngine::create(settings, context);
        if (!made) {
            ADD_FAILURE() << made.error().detail;
            return false;
        }
        engine = *made;
        request = AuthRequest();
        request.mechanism = "PLAIN";
        EXPECT_TRUE(engine->set_user(request, user));
        return engine->verify(request, SecretString(password)) == AuthResult::Ok && engine->may_upgrade_now(request);
    }

    std::filesystem::path folder;
    PasswdFileRegistry files;
    AuthSettings settings;
    std::shared_ptr<AuthEngine> engine;
    AuthRequest request;
};

TEST_F(UpgradeTest, AnotherSchemeIsStoredAnewAndTheLoginStillWorks) {
    ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
    ASSERT_TRUE(log_in("alice", "secret"));
    engine->upgrade_password(request);
    EXPECT_TRUE(
        read().starts_with("# users\nalice:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=:1:1::/a::k=v\nbob:"))
        << read();
    struct stat st {};
    ASSERT_EQ(::stat(path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0640u);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1)
        << "nothing else is left in the folder";
    EXPECT_FALSE(log_in("alice", "secret")) << "it has the scheme now";
    EXPECT_FALSE(log_in("alice", "wrong"));
}

TEST_F(UpgradeTest, OnlyWhatIsToBeAndOneAtATime) {
    EXPECT_FALSE(log_in("alice", "wrong"));
    EXPECT_FALSE(log_in("bob", "secret"));
    EXPECT_FALSE(log_in("any", "x"));
    EXPECT_FALSE(log_in("trunc", "secret"));
    EXPECT_TRUE(log_in("other", "secret")) << "by the name that the file knows";
    EXPECT_EQ(request.user, "alice");
    EXPECT_FALSE(engine->may_upgrade_now(request)) << "one is under way";
    engine->upgrade_password(request);
    EXPECT_NE(read().find("other:{SHA256}"), std::string::npos) << read();
    EXPECT_NE(read().find("alice:{PLAIN}secret"), std::string::npos);
    settings.passdbs[0].result_success = "return-fail";
    EXPECT_FALSE(log_in("alice", "secret"));
    settings.passdbs[0].result_success = "return-ok";
    settings.password_upgrade_scheme.clear();
    EXPECT_FALSE(log_in("alice", "secret"));
}

TEST_F(UpgradeTest, MastersAreLeftAlone) {
    settings.master_user_separator = "*";
    settings.passdbs.insert(settings.passdbs.begin(), settings.passdbs[0]);
    settings.passdbs[0].master = true;
    EXPECT_FALSE(log_in("bob*alice", "secret"));
    EXPECT_EQ(request.master_user, "alice");
}

TEST_F(UpgradeTest, WhatChangedMeanwhileStays) {
    ASSERT_TRUE(log_in("alice", "secret"));
    write("alice:{PLAIN}changed\n");
    engine->upgrade_password(request);
    EXPECT_EQ(read(), "alice:{PLAIN}changed\n");

    write("alice:{PLAIN}secret\n");
    ASSERT_TRUE(log_in("alice", "secret"));
    int fd = ::open(path().c_str(), O_RDONLY);
    ASSERT_EQ(::flock(fd, LOCK_EX), 0);
    engine->upgrade_password(request);
    EXPECT_EQ(read(), "alice:{PLAIN}secret\n") << "locked by an editor";
    ::close(fd);
}

TEST_F(UpgradeTest, ASymlinkStaysOne) {
    std::filesystem::create_directories(folder / "real");
    std::filesystem::rename(path(), folder / "real" / "users");
    std::filesystem::create_symlink(folder / "real" / "users", path());
    ASSERT_TRUE(log_in("alice", "secret"));
    engine->upgrade_password(request);
    EXPECT_TRUE(std::filesystem::is_symlink(path()));
    EXPECT_NE(read().find("alice:{SHA256}"), std::string::npos);
}

TEST_F(UpgradeTest, AnUnknownSchemeIsAConfigurationError) {
    settings.password_upgrade_scheme = "NOSUCH";
    DriverContext context;
    context.files = &files;
    auto made = AuthEngine::create(settings, context);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().detail.find("auth_password_upgrade_scheme = NOSUCH"), std::string::npos);
}
}  // namespace
