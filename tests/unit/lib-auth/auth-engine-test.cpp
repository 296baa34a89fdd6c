#include "lib-auth/auth-engine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace culver {
namespace {

class AuthEngineTest : public testing::Test {
protected:
    std::string file(const std::string& name, const std::string& text) {
        std::string path = testing::TempDir() + "/auth-engine-test." + std::to_string(::getpid()) + "." + name;
        std::ofstream(path) << text;
        return path;
    }
    PassDbSettings passdb(const std::string& text) {
        PassDbSettings db;
        db.driver = "passwd-file";
        db.args = file("p" + std::to_string(settings.passdbs.size()), text);
        return db;
    }
    std::shared_ptr<AuthEngine> engine() {
        auto made = AuthEngine::create(settings, DriverContext{&files, nullptr});
        EXPECT_TRUE(made) << made.error().detail;
        return made ? *made : nullptr;
    }
    AuthResult log_in(const std::string& user, const std::string& password, const std::string& authorization = "") {
        request = AuthRequest{};
        request.service = "imap";
        request.mechanism = "PLAIN";
        request.remote_ip = "192.0.2.7";
        auto made = engine();
        if (!made->set_user(request, user)) return AuthResult::NoCredentials;
        if (!made->set_login_user(request, authorization)) return AuthResult::NoCredentials;
        return made->verify(request, SecretString(password));
    }

    PasswdFileRegistry files;
    AuthSettings settings;
    AuthRequest request;
};

TEST_F(AuthEngineTest, SaysWhatIsMissingWithoutAPassDb) {
    auto made = AuthEngine::create(settings, DriverContext{&files, nullptr});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().detail, "No passdbs specified in configuration file. PLAIN mechanism needs one");
}

TEST_F(AuthEngineTest, ComparesAndNormalises) {
    settings.passdbs.push_back(passdb("alice@example.test:{PLAIN}secret\nempty:\n"));
    EXPECT_EQ(log_in("alice@example.test", "secret"), AuthResult::Ok);
    EXPECT_EQ(log_in("ALICE@Example.Test", "secret"), AuthResult::Ok);
    EXPECT_EQ(request.user, "alice@example.test");
    EXPECT_EQ(request.original_user, "ALICE@Example.Test");
    EXPECT_EQ(log_in("alice@example.test", "Secret"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("bob@example.test", "secret"), AuthResult::UnknownUser);
    EXPECT_EQ(log_in("empty", ""), AuthResult::Mismatch) << "no stored password matches nothing";
    settings.default_realm = "example.test";
    EXPECT_EQ(log_in("alice", "secret"), AuthResult::Ok);
}

TEST_F(AuthEngineTest, RefusesNamesThatTheRulesForbid) {
    settings.passdbs.push_back(passdb("alice:{PLAIN}secret\n"));
    settings.username_chars = "abcdefghijklmnopqrstuvwxyz@.";
    for (const char* name : {"", "ali ce", "alice%", "alice'--"})
        EXPECT_EQ(log_in(name, "secret"), AuthResult::NoCredentials) << name;
    settings.username_chars = "";
    for (const std::string& name :
         {std::string("al\0ice", 6), std::string("a\nb"), std::string("a\tb"), std::string(300, 'a')})
        EXPECT_EQ(log_in(name, "secret"), AuthResult::NoCredentials);
    EXPECT_EQ(log_in("%{env:PATH}", "secret"), AuthResult::UnknownUser) << "never expanded";
}

TEST_F(AuthEngineTest, AsksTheDatabasesInOrderByTheirResultRules) {
    settings.passdbs.push_back(passdb("a:{PLAIN}one\nb:{PLAIN}one\n"));
    settings.passdbs.push_back(passdb("a:{PLAIN}two\nc:{PLAIN}two\n"));
    EXPECT_EQ(log_in("a", "two"), AuthResult::Ok) << "result_failure = continue";
    EXPECT_EQ(log_in("c", "two"), AuthResult::Ok);
    settings.passdbs[0].result_failure = "return-fail";
    EXPECT_EQ(log_in("a", "two"), AuthResult::Mismatch);
    settings.passdbs[0].result_failure = "continue";
    settings.passdbs[0].result_success = "continue-ok";
    settings.passdbs[1].result_failure = "return-fail";
    EXPECT_EQ(log_in("b", "one"), AuthResult::UnknownUser);
    settings.passdbs[1].skip = "authenticated";
    EXPECT_EQ(log_in("b", "one"), AuthResult::Ok) << "the second one is not asked any more";
}

TEST_F(AuthEngineTest, AMissingFileIsATemporaryFailureUnlessAnotherDatabaseKnows) {
    settings.passdbs.push_back(passdb(""));
    settings.passdbs[0].args = "/nonexistent/users";
    settings.passdbs.push_back(passdb("a:{PLAIN}x\n"));
    EXPECT_EQ(log_in("a", "x"), AuthResult::Ok);
    EXPECT_EQ(log_in("b", "x"), AuthResult::InternalFailure);
}

TEST_F(AuthEngineTest, DenyShutsAUserOut) {
    settings.passdbs.push_back(passdb("a\n"));
    settings.passdbs[0].deny = true;
    settings.passdbs.push_back(passdb("a:{PLAIN}x\nb:{PLAIN}x\n"));
    EXPECT_EQ(log_in("a", "x"), AuthResult::Disabled);
    EXPECT_EQ(log_in("b", "x"), AuthResult::Ok);
}

TEST_F(AuthEngineTest, AMasterUserLogsInAsAnother) {
    settings.passdbs.push_back(passdb("boss:{PLAIN}master\n"));
    settings.passdbs[0].master = true;
    settings.passdbs.push_back(passdb("a:{PLAIN}x\nboss:{PLAIN}own\n"));
    settings.master_user_separator = "*";
    EXPECT_EQ(log_in("a*boss", "master"), AuthResult::Ok);
    EXPECT_EQ(request.user, "a");
    EXPECT_EQ(request.master_user, "boss");
    EXPECT_EQ(log_in("a*boss", "x"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("boss", "master"), AuthResult::Mismatch) << "a master password opens nobody's own mail";
    EXPECT_EQ(log_in("boss", "master", "a"), AuthResult::Ok) << "the authorisation identity of PLAIN";
    EXPECT_EQ(log_in("a", "x", "boss"), AuthResult::UnknownUser);
    EXPECT_EQ(log_in("z*boss", "master"), AuthResult::Ok) << "nobody asked whether z exists";
    settings.passdbs[0].pass = true;
    EXPECT_EQ(log_in("z*boss", "master"), AuthResult::UnknownUser);
}

TEST_F(AuthEngineTest, AppliesExtraFields) {
    settings.passdbs.push_back(
        passdb("a:{PLAIN}x::::::nologin=y reason=Gone user=other userdb_mail=maildir:/%u foo=%n\n"
               "n:{PLAIN}x::::::allow_nets=192.0.2.0/24\nm:{PLAIN}x::::::allow_nets=10.0.0.0/8,::1\n"
               "free::::::::\nany::::::: nopassword\n"));
    EXPECT_EQ(log_in("a", "x"), AuthResult::Ok);
    EXPECT_EQ(request.user, "other");
    std::string line;
    request.fields.append_to(line);
    EXPECT_EQ(line, "\tnologin\treason=Gone\tfoo=a");
    EXPECT_EQ(request.userdb_fields.find("mail")->value, "maildir:/a");
    EXPECT_EQ(log_in("n", "x"), AuthResult::Ok);
    EXPECT_EQ(log_in("m", "x"), AuthResult::UnknownUser);
    settings.passdbs[0].override_fields = "foo=fixed";
    EXPECT_EQ(log_in("n", "x"), AuthResult::Ok);
    EXPECT_EQ(request.fields.find("foo")->value, "fixed");
}

TEST_F(AuthEngineTest, TwoDatabasesOfOneDriverKeepTheirOwnSettings) {
    auto same = passdb("a:{PLAIN}x\n");
    settings.passdbs = {same, same};
    settings.passdbs[0].mechanisms = "login";
    settings.passdbs[1].username_filter = "!a";
    EXPECT_EQ(log_in("a", "x"), AuthResult::InternalFailure) << "no database is left to ask";
}

TEST_F(AuthEngineTest, AUserNameChoosesNoFileOutsideItsFolder) {
    auto path = file("example.test", "a:{PLAIN}x\n");
    settings.passdbs.push_back(passdb(""));
    settings.passdbs[0].args = "username_format=%n " + path.substr(0, path.rfind("example.test")) + "%d";
    EXPECT_EQ(log_in("a@example.test", "x"), AuthResult::Ok);
    EXPECT_EQ(log_in("a@other.test", "x"), AuthResult::UnknownUser);
    for (const char* name : {"a@..", "a@../x", "a@/etc/passwd", "a@", "a"})
        EXPECT_NE(log_in(name, "x"), AuthResult::Ok) << name;
}

TEST_F(AuthEngineTest, WithoutAUserDbThePassDbsSayWhoExists) {
    settings.passdbs.push_back(passdb("a:{PLAIN}x\n"));
    auto made = engine();
    for (auto [user, expected] :
         {std::pair("a", UserResult::Kind::Found), std::pair("b", UserResult::Kind::NotFound)}) {
        AuthRequest lookup;
        ASSERT_TRUE(made->set_user(lookup, user));
        EXPECT_EQ(made->lookup_user(lookup).kind, expected);
    }
}

TEST_F(AuthEngineTest, PamCannotSayWhoExistsAndThatIsATemporaryFailure) {
    PassDbSettings pam;
    pam.driver = "pam";
    settings.passdbs.push_back(pam);
    auto made = engine();
    AuthRequest lookup;
    ASSERT_TRUE(made->set_user(lookup, "a"));
    EXPECT_EQ(made->lookup_user(lookup).kind, UserResult::Kind::InternalFailure);
    UserDbSettings everybody;
    everybody.driver = "static";
    everybody.args = "uid=5000 gid=5000 home=/var/vmail/%u allow_all_users=yes";
    settings.userdbs.push_back(everybody);
    made = engine();
    EXPECT_EQ(made->lookup_user(lookup).kind, UserResult::Kind::Found);
    EXPECT_EQ(lookup.userdb_fields.find("home")->value, "/var/vmail/a");
}

TEST_F(AuthEngineTest, PrefetchTakesWhatThePassDbReturned) {
    settings.passdbs.push_back(passdb("a:{PLAIN}x::::::userdb_uid=7 userdb_home=/h/%u\n"));
    UserDbSettings prefetch, fallback;
    prefetch.driver = "prefetch";
    fallback.driver = "passwd-file";
    fallback.args = file("fallback", "a::8:8::/other::\n");
    settings.userdbs = {prefetch, fallback};
    ASSERT_EQ(log_in("a", "x"), AuthResult::Ok);
    ASSERT_EQ(engine()->lookup_user(request).kind, UserResult::Kind::Found);
    EXPECT_EQ(request.userdb_fields.find("uid")->value, "7");
    AuthRequest lookup;
    ASSERT_TRUE(engine()->set_user(lookup, "a"));
    ASSERT_EQ(engine()->lookup_user(lookup).kind, UserResult::Kind::Found);
    EXPECT_EQ(lookup.userdb_fields.find("uid")->value, "8");
}

TEST_F(AuthEngineTest, DropsAUserWithABadUid) {
    settings.passdbs.push_back(passdb("a:x\n"));
    UserDbSettings db;
    db.driver = "passwd-file";
    db.args = file("uids", "a:x:ret:1::/h::\nroot:x:0:0::/root::\nshort:x\nok:x::::::\n");
    settings.userdbs = {db};
    auto made = engine();
    for (auto [user, expected] :
         {std::pair("a", false), std::pair("root", false), std::pair("short", false), std::pair("ok", true)}) {
        AuthRequest lookup;
        ASSERT_TRUE(made->set_user(lookup, user));
        EXPECT_EQ(made->lookup_user(lookup).kind == UserResult::Kind::Found, expected) << user;
    }
}

}  // namespace
TEST_F(AuthEngineTest, WhatAUserDbSaysOfNamesNumbersAndFailures) {
    settings.passdbs.push_back(passdb("a:{PLAIN}x\n"));
    UserDbSettings db;
    db.driver = "passwd-file";
    db.args = file("fields",
                   "nobody-there::5:5::/h::userdb_uid=no-such-user\n"
                   "later::5:5::/h::userdb_tempfail=y\nmoved::5:5::/h::userdb_username=other userdb_domain=ex.test\n"
                   "named::5:5::/h::userdb_uid=root userdb_gid=root\n");
    settings.userdbs = {db};
    auto made = engine();
    auto look_up = [&](const char* user) {
        request = AuthRequest{};
        EXPECT_TRUE(made->set_user(request, user));
        return made->lookup_user(request).kind;
    };
    EXPECT_EQ(look_up("named"), UserResult::Kind::Found);
    EXPECT_EQ(request.userdb_fields.find("uid")->value, "0");
    EXPECT_EQ(request.userdb_fields.find("gid")->value, "0");
    EXPECT_EQ(look_up("nobody-there"), UserResult::Kind::InternalFailure);
    EXPECT_EQ(look_up("later"), UserResult::Kind::InternalFailure);
    EXPECT_EQ(look_up("moved"), UserResult::Kind::Found);
    EXPECT_EQ(request.user, "other@ex.test");
}

TEST_F(AuthEngineTest, UserDbStaticKnowsNobodyWhoIsDeniedAndOverridesNothingThatThePassDbSays) {
    settings.passdbs = {passdb("denied:\n")};
    settings.passdbs[0].deny = true;
    settings.passdbs.push_back(passdb("denied:{PLAIN}x\na:{PLAIN}x::::::userdb_quota_rule=own\n"));
    UserDbSettings everybody;
    everybody.driver = "static";
    everybody.args = "uid=5 gid=5 home=/h";
    everybody.default_fields = "quota_rule=default other=default";
    settings.userdbs = {everybody};
    auto made = engine();
    AuthRequest denied;
    ASSERT_TRUE(made->set_user(denied, "denied"));
    EXPECT_EQ(made->lookup_user(denied).kind, UserResult::Kind::NotFound);
    ASSERT_TRUE(made->set_user(request, "a"));
    ASSERT_EQ(made->lookup_user(request).kind, UserResult::Kind::Found);
    EXPECT_EQ(request.userdb_fields.find("quota_rule")->value, "own");
    EXPECT_EQ(request.userdb_fields.find("other")->value, "default");
}

// Each database that is asked again for the new user may send it on: four times, not for ever.
TEST_F(AuthEngineTest, LoginUserDoesNotGoRoundAndRound) {
    settings.passdbs.push_back(
        passdb("a:{PLAIN}x::::::login_user=b\nb:{PLAIN}y::::::login_user=a\n"
               "self:{PLAIN}x::::::login_user=self\nc:{PLAIN}x::::::login_user=end\nend:{PLAIN}z\n"));
    settings.passdbs[0].result_success = "continue-ok";
    EXPECT_EQ(log_in("a", "x"), AuthResult::InternalFailure);
    EXPECT_EQ(log_in("self", "x"), AuthResult::InternalFailure);
    EXPECT_EQ(log_in("c", "x"), AuthResult::Ok);
    EXPECT_EQ(request.user, "end");
    EXPECT_EQ(request.master_user, "c");
}

TEST_F(AuthEngineTest, DelayUntilIsBounded) {
    auto now = std::chrono::system_clock::now();
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    settings.passdbs.push_back(passdb(fmt::format(
        "soon:{{PLAIN}}x::::::delay_until={0}+5\npast:{{PLAIN}}x::::::delay_until=1\nfar:{{PLAIN}}x::::::delay_until={1}\n"
        "never:{{PLAIN}}x::::::delay_until=9999999999\nmost:{{PLAIN}}x::::::delay_until=18446744073709551615\n"
        "bad:{{PLAIN}}x::::::delay_until=now\nchance:{{PLAIN}}x::::::delay_until={2}+4000000000\n",
        seconds + 100, seconds + 400, seconds + 250)));
    EXPECT_EQ(log_in("soon", "x"), AuthResult::Ok);
    EXPECT_GE(*request.delay_until, now + std::chrono::seconds(99));
    EXPECT_LT(*request.delay_until, now + std::chrono::seconds(106));
    EXPECT_EQ(log_in("past", "x"), AuthResult::Ok);
    for (const char* user : {"far", "never", "most", "bad"})
        EXPECT_EQ(log_in(user, "x"), AuthResult::UnknownUser) << user;
    EXPECT_EQ(log_in("chance", "x"), AuthResult::Ok);
    EXPECT_LE(*request.delay_until, std::chrono::system_clock::now() + std::chrono::minutes(5));
}

}  // namespace culver
