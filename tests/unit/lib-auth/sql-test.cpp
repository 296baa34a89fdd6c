#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdio>
#include <fstream>

#include <unistd.h>

#include "lib-auth/auth-engine.h"
#include "lib-auth/sql/sql-config.h"

namespace culver {
namespace {

TEST(SqlConfig, ReadsKeysCommentsAndContinuedLines) {
    auto config = parse_sql_config(
        "# c\ndriver = sqlite\nconnect=/x/y.db\n\npassword_query = SELECT a \\\n  FROM b \\\n  WHERE c = 1\n");
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->driver, "sqlite");
    EXPECT_EQ(config->connect, "/x/y.db");
    EXPECT_EQ(config->password_query, "SELECT a FROM b WHERE c = 1");
    EXPECT_EQ(config->default_pass_scheme, "MD5");
    EXPECT_EQ(parse_sql_config("driver = sqlite\nfoo = 1\n").error().detail, "line 2: Unknown setting: foo");
    EXPECT_EQ(parse_sql_config("driver\n").error().detail, "line 1: Missing '='");
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
    ASSERT_TRUE(engine->iterate([&](std::string_view user) { users.emplace_back(user); }));
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

}  // namespace
}  // namespace culver
