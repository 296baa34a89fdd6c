#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "lib-auth/auth-engine.h"
#include "lib-auth/sql/sql-config.h"
#include "lib-auth/typical-password.h"

namespace culver {
namespace {

TEST(SqlConfig, ReadsKeysCommentsAndContinuedLines) {
    auto config = parse_sql_config(
        "# c\ndriver = sqlite\nconnect=/x/y.db\n\npassword_query = SELECT a \\\n  FROM b \\\n  WHERE c = 1\n", "f");
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->driver, "sqlite");
    EXPECT_EQ(config->connect, "/x/y.db");
    EXPECT_EQ(config->password_query, "SELECT a  FROM b  WHERE c = 1");
    EXPECT_EQ(config->default_pass_scheme, "MD5");
}

TEST(SqlConfig, NamesEveryMistakeAtOnceWithItsLine) {
    struct {
        const char *text, *problem;
    } const rows[] = {
        {"driver = sqlite\nconnect = /x\nfoo = 1\n", "f:3: Unknown setting: foo"},
        {"driver = sqlite\nconnect = /x\npasword_query = SELECT 1\n",
         "f:3: Unknown setting: pasword_query (did you mean password_query?)"},
        {"driver = mysql\n",
         "f:1: driver = mysql: only sqlite is built in; f: connect is missing: write \"connect = /path/to/users.sqlite\""},
        {"driver = sqlite\nconnect = path=\n", "f:2: connect is missing: write \"connect = /path/to/users.sqlite\""},
        {"driver\ndriver = sqlite\nconnect = /x\n", "f:1: Expecting '=': driver"},
    };
    for (const auto& row : rows) {
        auto config = parse_sql_config(row.text, "f");
        ASSERT_FALSE(config) << row.text;
        EXPECT_EQ(config.error().detail, row.problem);
    }
    EXPECT_EQ(parse_sql_config("driver = sqlite\nconnect = path=/x\n", "f").value().connect, "/x");
}

TEST(SqlConfig, MakesVariablesParameters) {
    struct {
        const char *query, *text;
        std::vector<std::string> parameters;
    } cases[] = {
        {"SELECT 1", "SELECT 1", {}},
        {"a = '%u'", "a = ?1", {"%u"}},
        {"a = '%Ln' AND b='x''%d'", "a = ?1 AND b=?2", {"%Ln", "x'%d"}},
        {"a = %u AND b = %{domain} AND c = %Lu", "a = ?1 AND b = ?2 AND c = ?3", {"%u", "%{domain}", "%Lu"}},
        {"'plain' '%%'", "'plain' ?1", {"%%"}},
        {"a %% 2 = 'it''s'", "a % 2 = 'it''s'", {}},
    };
    for (const auto& row : cases) {
        auto query = bind_variables(row.query);
        ASSERT_TRUE(query) << row.query;
        EXPECT_EQ(query->text, row.text);
        EXPECT_EQ(query->parameters, row.parameters) << row.query;
    }
    EXPECT_FALSE(bind_variables("a = 'open"));
    EXPECT_FALSE(bind_variables("a = %"));
}

class SqlTest : public testing::Test {
protected:
    SqlTest() {
        base = testing::TempDir() + "/sql-test." + std::to_string(::getpid());
        run("CREATE TABLE users (username TEXT, domain TEXT, password TEXT, uid INTEGER, gid INTEGER, home TEXT, quota "
            "TEXT);"
            "INSERT INTO users VALUES ('alice','example.test','{PLAIN}secret',5000,5000,'/v/alice',NULL);"
            "INSERT INTO users VALUES "
            "('bob','example.test','5ebe2294ecd0e0f08eab7690d2a6ee69',5001,5001,'/v/bob','*:storage=1M');"
            "INSERT INTO users VALUES "
            "('twice','example.test','{PLAIN}a',1,1,'/',NULL),('twice','example.test','{PLAIN}b',1,1,'/',NULL);");
        std::ofstream(base + ".conf") << "driver = sqlite\nconnect = " << base
                                      << ".db\n"
                                         "password_query = SELECT username, domain, password, quota AS "
                                         "userdb_quota_rule FROM users WHERE username = '%n' AND domain = '%d'\n";
        PassDbSettings passdb;
        passdb.driver = "sql";
        passdb.args = base + ".conf";
        UserDbSettings userdb;
        userdb.driver = "sql";
        userdb.args = base + ".conf";
        settings.passdbs = {passdb};
        settings.userdbs = {userdb};
        settings.username_chars = "";
        auto made = AuthEngine::create(settings, DriverContext{&files, nullptr});
        EXPECT_TRUE(made) << made.error().detail;
        engine = *made;
    }
    ~SqlTest() override {
        std::remove((base + ".db").c_str());
        std::remove((base + ".conf").c_str());
        std::remove((base + ".slow").c_str());
    }
    void run(const std::string& sql) {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open((base + ".db").c_str(), &db), SQLITE_OK);
        ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
        sqlite3_close(db);
    }
    AuthResult log_in(const std::string& user, const std::string& password) {
        request = AuthRequest{};
        if (!engine->set_user(request, user)) return AuthResult::NoCredentials;
        return engine->verify(request, SecretString(password));
    }

    std::string base;
    PasswdFileRegistry files;
    AuthSettings settings;
    std::shared_ptr<AuthEngine> engine;
    AuthRequest request;
};

TEST_F(SqlTest, FindsUsersAndTheirFields) {
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    EXPECT_EQ(log_in("alice@example.test", "x"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("nobody@example.test", "secret"), AuthResult::UnknownUser);
    EXPECT_EQ(log_in("bob@example.test", "secret"), AuthResult::Ok) << "the default scheme is MD5";
    EXPECT_EQ(request.userdb_fields.find("quota_rule")->value, "*:storage=1M");
    AuthRequest lookup;
    ASSERT_TRUE(engine->set_user(lookup, "alice@example.test"));
    ASSERT_EQ(engine->lookup_user(lookup).kind, UserResult::Kind::Found);
    EXPECT_EQ(lookup.userdb_fields.find("uid")->value, "5000");
    EXPECT_EQ(lookup.userdb_fields.find("home")->value, "/v/alice");
    std::vector<std::string> users;
    ASSERT_EQ(engine->userdb_count(), 1u);
    ASSERT_TRUE(engine->iterate(0, [&](std::string_view user) { users.emplace_back(user); }));
    EXPECT_EQ(users.size(), 4u);
    EXPECT_EQ(users[0], "alice@example.test");
}

TEST_F(SqlTest, SqlInANameIsOnlyAName) {
    for (const char* name : {"' OR 1=1 --@example.test", "alice@example.test' --", "alice\\'; DROP TABLE users; --@x",
                             "%n@example.test", "\xbf' OR 1=1 --@example.test", "?1@example.test"})
        EXPECT_EQ(log_in(name, "secret"), AuthResult::UnknownUser) << name;
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
}

TEST_F(SqlTest, TroubleIsATemporaryFailureAndPassesByItself) {
    EXPECT_EQ(log_in("twice@example.test", "a"), AuthResult::InternalFailure) << "two rows";
    std::rename((base + ".db").c_str(), (base + ".away").c_str());
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::InternalFailure);
    std::ofstream(base + ".db") << "this is no database, whatever its name says, and long enough to be sure of that";
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::InternalFailure);
    std::rename((base + ".away").c_str(), (base + ".db").c_str());
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
}

// Asked as the event loop does: nothing if the database would have to be waited for.
class SqlAtOnceTest : public SqlTest {
protected:
    std::optional<AuthResult> log_in_at_once(const std::string& user, const std::string& password) {
        request = AuthRequest{};
        EXPECT_TRUE(engine->set_user(request, user));
        auto walk = engine->start_verify(request, SecretString(password));
        auto result = engine->advance(*walk, Work::Cheap);
        if (!result) {
            EXPECT_EQ(AuthEngine::wanted_work(*walk), Work::Blocking);
        }
        return result;
    }
    struct Lock {
        explicit Lock(const std::string& path) {
            EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
            EXPECT_EQ(sqlite3_exec(db, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
        }
        ~Lock() { sqlite3_close(db); }
        sqlite3* db = nullptr;
    };
};

TEST_F(SqlAtOnceTest, NeedsNoThreadOnceTheFileIsOpen) {
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), std::nullopt) << "opening is not for the loop";
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), AuthResult::Ok);
    EXPECT_EQ(log_in_at_once("alice@example.test", "wrong"), AuthResult::Mismatch);
    EXPECT_EQ(log_in_at_once("nobody@example.test", "secret"), AuthResult::UnknownUser);
    EXPECT_EQ(log_in_at_once("twice@example.test", "a"), std::nullopt) << "who waits may find out more";
    AuthRequest lookup;
    ASSERT_TRUE(engine->set_user(lookup, "alice@example.test"));
    auto user_walk = engine->start_user_lookup(lookup);
    EXPECT_FALSE(engine->advance(*user_walk, Work::Cheap)) << "its database has a file of its own to open";
    EXPECT_EQ(AuthEngine::wanted_work(*user_walk), Work::Blocking);
    EXPECT_EQ(engine->lookup_user(lookup).kind, UserResult::Kind::Found);
    AuthRequest again;
    ASSERT_TRUE(engine->set_user(again, "alice@example.test"));
    user_walk = engine->start_user_lookup(again);
    auto found = engine->advance(*user_walk, Work::Cheap);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, UserResult::Kind::Found);
    EXPECT_EQ(again.userdb_fields.find("home")->value, "/v/alice");
    AuthRequest credentials;
    ASSERT_TRUE(engine->set_user(credentials, "alice@example.test"));
    auto walk = engine->start_lookup(credentials);
    ASSERT_EQ(engine->advance(*walk, Work::Cheap), AuthResult::Ok);
    EXPECT_EQ(AuthEngine::take_credentials(*walk, AuthResult::Ok).password.reveal(), "{PLAIN}secret");
}

TEST_F(SqlAtOnceTest, ALockedFileIsNothingToWaitForOnTheLoop) {
    ASSERT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    {
        Lock lock(base + ".db");
        auto begun = std::chrono::steady_clock::now();
        EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), std::nullopt);
        EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
        EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::InternalFailure) << "after two seconds";
    }
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), AuthResult::Ok) << "and back on the loop";
}

TEST_F(SqlAtOnceTest, FollowsTheFileThatHasTheName) {
    ASSERT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    std::rename((base + ".db").c_str(), (base + ".away").c_str());
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), std::nullopt);
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::InternalFailure);
    std::ifstream from(base + ".away", std::ios::binary);
    std::ofstream(base + ".new", std::ios::binary) << from.rdbuf();
    std::rename((base + ".new").c_str(), (base + ".db").c_str());
    run("UPDATE users SET password = '{PLAIN}changed' WHERE username = 'alice'");
    EXPECT_EQ(log_in("alice@example.test", "changed"), AuthResult::Ok);
    EXPECT_EQ(log_in_at_once("alice@example.test", "changed"), AuthResult::Ok);
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), AuthResult::Mismatch);
    run("UPDATE users SET password = '{PLAIN}again' WHERE username = 'alice'");
    EXPECT_EQ(log_in_at_once("alice@example.test", "again"), AuthResult::Ok) << "a change in place is seen at once";
    std::rename((base + ".away").c_str(), (base + ".db").c_str());
    EXPECT_EQ(log_in_at_once("alice@example.test", "again"), std::nullopt) << "replaced by rename";
    EXPECT_EQ(log_in("alice@example.test", "again"), AuthResult::Mismatch);
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), AuthResult::Ok);
}

TEST_F(SqlAtOnceTest, ASlowQueryStaysOffTheLoop) {
    settings.passdbs[0].args = base + ".slow";
    std::ofstream(base + ".slow") << "driver = sqlite\nconnect = " << base
                                  << ".db\npassword_query = WITH RECURSIVE slow(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
                                     "FROM slow WHERE n < 300000) SELECT '%u' AS user, '{PLAIN}secret' AS password "
                                     "FROM slow WHERE n = 300000\n";
    engine = *AuthEngine::create(settings, DriverContext{&files, nullptr});
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(log_in_at_once("alice@example.test", "secret"), std::nullopt);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(100));
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
}

TEST_F(SqlAtOnceTest, ARowIsKeptOnlyWhileTheFileIsTheSame) {
    ASSERT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    // Older than the clock of any file system can be wrong, so that rows are kept; then each change is seen, however
    // quickly it follows.
    ::usleep(80'000);
    for (int round = 0; round < 20; ++round) {
        std::string fresh = "p" + std::to_string(round);
        EXPECT_NE(log_in_at_once("alice@example.test", fresh), AuthResult::Ok) << round;
        EXPECT_NE(log_in_at_once("alice@example.test", fresh), AuthResult::Ok) << round;
        run("UPDATE users SET password = '{PLAIN}" + fresh + "' WHERE username = 'alice'");
        EXPECT_EQ(log_in_at_once("alice@example.test", fresh), AuthResult::Ok) << round;
        if (round % 5 == 0) ::usleep(60'000);
    }
    run("PRAGMA journal_mode = WAL");
    log_in("alice@example.test", "p19");
    sqlite3* writer = nullptr;
    ASSERT_EQ(sqlite3_open((base + ".db").c_str(), &writer), SQLITE_OK);
    for (int round = 0; round < 20; ++round) {
        std::string fresh = "w" + std::to_string(round);
        if (round % 5 == 0) ::usleep(60'000);
        EXPECT_EQ(log_in_at_once("alice@example.test", fresh), AuthResult::Mismatch);
        std::string sql = "UPDATE users SET password = '{PLAIN}" + fresh + "' WHERE username = 'alice'";
        ASSERT_EQ(sqlite3_exec(writer, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
        EXPECT_EQ(log_in_at_once("alice@example.test", fresh), AuthResult::Ok) << "the change is in the log alone";
    }
    sqlite3_close(writer);
    std::remove((base + ".db-wal").c_str());
    std::remove((base + ".db-shm").c_str());
}

TEST(RowCache, KeepsRowsOfOneStateOfTheFile) {
    RowCache cache(100);
    auto now = RowCache::Clock::now();
    DatabaseStamp stamp;
    stamp.file.inode = 1;
    EXPECT_EQ(cache.find("q", stamp, now), std::nullopt);
    cache.put("q", stamp, {{"a", "b"}}, now);
    EXPECT_EQ(cache.find("q", stamp, now), (SqlRow{{"a", "b"}}));
    EXPECT_EQ(cache.find("r", stamp, now), std::nullopt);
    EXPECT_EQ(cache.find("q", stamp, now + std::chrono::milliseconds(1001)), std::nullopt)
        << "a query may know the time";
    cache.put("q", stamp, {{"a", "b"}}, now);
    DatabaseStamp other = stamp;
    other.log.size = 1;
    EXPECT_EQ(cache.find("q", other, now), std::nullopt);
    EXPECT_EQ(cache.find("q", stamp, now), std::nullopt) << "what was read before the change is gone";
    for (int i = 0; i < 1000; ++i) cache.put(std::to_string(i), stamp, {}, now);
    EXPECT_LE(cache.size(), 100u);
    DatabaseStamp fresh = stamp;
    fresh.file_changed.seconds = std::time(nullptr) + 1;
    cache.put("q", fresh, {}, now);
    EXPECT_EQ(cache.size(), 100u) << "a file that has just changed may change again unseen";
}

TEST(TypicalPassword, KnowsWhatAComparisonCosts) {
    struct {
        const char *stored, *kind;
    } cases[] = {{"secret", ""},
                 {"{PLAIN}secret", "{PLAIN}"},
                 {"{PLAIN}$x", "{PLAIN}"},
                 {"$6$salt$hash", "$6$"},
                 {"{SHA512-CRYPT}$6$rounds=9999$salt$hash", "{SHA512-CRYPT}$6$rounds=9999$"},
                 {"{BLF-CRYPT}$2y$05$saltandhash", "{BLF-CRYPT}$2y$05$"},
                 {"$y$j9T$salt$hash", "$y$j9T$"},
                 {"{broken", "{broken"},
                 {"", ""}};
    for (const auto& row : cases) EXPECT_EQ(password_kind(row.stored), row.kind) << row.stored;
    TypicalPassword typical;
    EXPECT_EQ(typical.password(), "");
    typical.remember(SecretString("{PLAIN}a"));
    EXPECT_EQ(typical.password(), "{PLAIN}a");
    typical.remember(SecretString("$6$b$c"));
    typical.remember(SecretString("$6$d$e"));
    EXPECT_EQ(typical.password(), "$6$b$c");
    for (int i = 0; i < 100; ++i) typical.remember(SecretString("{S" + std::to_string(i) + "}x"));
    EXPECT_EQ(typical.password(), "$6$b$c");
}

}  // namespace
}  // namespace culver
