// checkpassword: arguments, environment, replies, exit statuses.
#include "lib-auth/checkpassword.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib-auth/passdb.h"
#include "lib-auth/userdb.h"
#include "lib-base/log.h"

namespace culver::checkpassword {
namespace {

AuthRequest request_of(std::string user) {
    AuthRequest request;
    request.user = request.original_user = request.translated_user = std::move(user);
    request.service = "imap";
    request.mechanism = "PLAIN";
    return request;
}

bool has(const std::vector<std::string>& environment, std::string_view entry) {
    return std::find(environment.begin(), environment.end(), entry) != environment.end();
}

bool names(const std::vector<std::string>& environment, std::string name) {
    name += '=';
    return std::any_of(environment.begin(), environment.end(),
                       [&](const auto& entry) { return entry.starts_with(name); });
}

std::vector<std::string> command_words(std::string_view args, const std::string& user) {
    auto words = command(args, request_of(user));
    if (!words) return {words.error().detail};
    EXPECT_TRUE(words->back().ends_with("/checkpassword-reply")) << words->back();
    words->pop_back();
    return *words;
}

TEST(Checkpassword, SplitsTheArgumentsAtEachBlank) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(command_words("/bin/x", "bob"), Words({"/bin/x"}));
    EXPECT_EQ(command_words("  /bin/x  a 'b c' \"d\" \\e ", "bob"),
              Words({"/bin/x", "", "a", "'b", "c'", "\"d\"", "\\e"}));
    EXPECT_EQ(command_words("/bin/x %u -%n- =%d= %%", "bob@example.test"),
              Words({"/bin/x", "bob@example.test", "-bob-", "=example.test=", "%"}));
}

TEST(Checkpassword, KeepsWhatAVariableBringsInOneWord) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(command_words("/bin/x %u y", "a --b 'c"), Words({"/bin/x", "a --b 'c", "y"}));
    EXPECT_EQ(command_words("/bin/x %{if;%u;eq;bob;yes sir;no} y", "bob"), Words({"/bin/x", "yes sir", "y"}));
    EXPECT_EQ(command_words("/bin/x %u", "%u %{user}"), Words({"/bin/x", "%u %{user}"})) << "expanded once";
}

TEST(Checkpassword, TellsProgramsAboutTheRequest) {
    AuthRequest request = request_of("bob@example.test");
    request.local_ip = "192.0.2.1";
    request.remote_ip = "192.0.2.2";
    request.local_port = "143";
    request.secured = true;
    auto all = environment(request, Mode::Verify);
    for (const char* entry :
         {"SERVICE=imap", "PROTO=TCP", "LOCAL_IP=192.0.2.1", "TCPLOCALIP=192.0.2.1", "TCPLOCALPORT=143",
          "REMOTE_IP=192.0.2.2", "TCPREMOTEIP=192.0.2.2", "AUTH_USER=bob@example.test", "AUTH_USERNAME=bob",
          "AUTH_DOMAIN=example.test", "AUTH_LIP=192.0.2.1", "AUTH_LPORT=143", "AUTH_RPORT=0", "AUTH_MECH=PLAIN",
          "AUTH_SECURED=secured", "AUTH_CERT=", "AUTH_SERVICE=imap", "AUTH_ORIGINAL_USER=bob@example.test"})
        EXPECT_TRUE(has(all, entry)) << entry;
    for (const char* name : {"AUTHORIZED", "CREDENTIALS_LOOKUP", "SCHEME", "MASTER_USER", "TCPREMOTEPORT",
                             "AUTH_SESSION", "AUTH_PASSWORD", "USER", "HOME"})
        EXPECT_FALSE(names(all, name)) << name;
    auto lookup = environment(request, Mode::User);
    EXPECT_TRUE(has(lookup, "AUTHORIZED=1"));
    EXPECT_FALSE(names(lookup, "CREDENTIALS_LOOKUP"));
}

TEST(Checkpassword, NamesTheWantedScheme) {
    static constexpr std::pair<const char*, const char*> kCases[] = {{"CRAM-MD5", "CRAM-MD5"},
                                                                     {"DIGEST-MD5", "DIGEST-MD5"},
                                                                     {"SCRAM-SHA-1", "SCRAM-SHA-1"},
                                                                     {"SCRAM-SHA-256", "SCRAM-SHA-256"},
                                                                     {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"},
                                                                     {"", ""},
                                                                     {"EXTERNAL", ""}};
    for (auto [mechanism, scheme] : kCases) {
        AuthRequest request = request_of("bob");
        request.mechanism = mechanism;
        auto all = environment(request, Mode::Credentials);
        EXPECT_TRUE(has(all, "CREDENTIALS_LOOKUP=1"));
        EXPECT_TRUE(has(all, std::string("SCHEME=") + scheme)) << mechanism;
    }
}

TEST(Checkpassword, LetsNoFieldShadowTheProgramsOwnEnvironment) {
    AuthRequest request = request_of("bob");
    for (const char* key : {"foo", "path", "ld_preload", "LD_LIBRARY_PATH", "service", "authorized", "bash_env", "ifs",
                            "insecure_setuid", "auth_user", "a=b", "orig_uid", "pythonpath"})
        request.fields.set(key, "evil");
    request.fields.set("nul", std::string("a\0b", 3));
    request.fields.set("flag", "", false);
    request.userdb_fields.set("home", "/h");
    auto all = environment(request, Mode::Verify);
    EXPECT_TRUE(has(all, "FOO=evil"));
    EXPECT_TRUE(has(all, "FLAG=1"));
    EXPECT_TRUE(has(all, "USERDB_HOME=/h"));
    EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& entry) { return entry.ends_with("=evil"); }), 1);
    EXPECT_FALSE(names(all, "NUL"));
}

TEST(Checkpassword, GivesNameAndPasswordWithANulBehindEach) {
    EXPECT_EQ(input(request_of("bob"), "pw").reveal(), std::string_view("bob\0pw\0\0", 8));
    EXPECT_EQ(input(request_of("bob"), "").reveal(), std::string_view("bob\0\0\0", 6));
}

TEST(Checkpassword, ReadsReplies) {
    auto fields = parse_reply("user=bob\tuserdb_home=/h\1tx\t\tnologin\tempty=\tuser=carl\t");
    ASSERT_TRUE(fields);
    ASSERT_EQ(fields->size(), 4u);
    EXPECT_EQ(fields->find("user")->value, "carl");
    EXPECT_EQ(fields->find("userdb_home")->value, "/h\tx");
    EXPECT_FALSE(fields->find("nologin")->has_value);
    EXPECT_FALSE(fields->find("empty")->has_value);
    EXPECT_TRUE(parse_reply("\t\t")->empty());
    for (std::string_view bad : {std::string_view("a=b\nc=d"), std::string_view("a=b\0c", 5), std::string_view("=x")})
        EXPECT_FALSE(parse_reply(bad)) << bad;
    std::string many;
    for (int i = 0; i < 300; ++i) many += "k" + std::to_string(i) + "=v\t";
    EXPECT_FALSE(parse_reply(many)) << "bounded";
}

struct EndCase {
    ProgramResult::End end;
    int code;
    const char* output;
    const char* verify;  // "yes", "no", "unknown" or the error
    const char* lookup;
};

std::string outcome(const ProgramResult& result, Mode mode) {
    auto answer = judge(result, mode);
    if (!answer) return answer.error().detail;
    return answer->kind == Answer::Kind::Yes ? "yes" : answer->kind == Answer::Kind::No ? "no" : "unknown";
}

TEST(Checkpassword, UnderstandsHowAProgramEnds) {
    using End = ProgramResult::End;
    static constexpr const char* kUserdbOnly =
        "Child 7 exited with status 2 (tried to use userdb-only checkpassword program for passdb?)";
    static constexpr EndCase kCases[] = {
        {End::Exited, 0, "user=b\t", "yes", "Child 7 exited with status 0"},
        {End::Exited, 0, "", "Received no input", "Child 7 exited with status 0"},
        {End::Exited, 1, "user=b\t", "no", "Child 7 exited with status 1"},
        {End::Exited, 2, "user=b\t", kUserdbOnly, "yes"},
        {End::Exited, 2, "", kUserdbOnly, "Received no input"},
        {End::Exited, 3, "", "Child 7 exited with status 3", "unknown"},
        {End::Exited, 111, "", "Child 7 exited with status 111", "Child 7 exited with status 111"},
        {End::Killed, 9, "user=b\t", "Child 7 died with signal 9", "Child 7 died with signal 9"},
        {End::TimedOut, 0, "user=b\t", "Child 7 took too long and was killed", "Child 7 took too long and was killed"},
        {End::TooLong, 0, "user=b\t", "Child 7 wrote too much and was killed", "Child 7 wrote too much and was killed"},
        {End::Exited, 0, "user=\t", "username attempted to be changed to empty", "Child 7 exited with status 0"},
        {End::Exited, 0, "a=b\n", "LF characters in checkpassword reply", "Child 7 exited with status 0"},
    };
    for (const EndCase& row : kCases) {
        ProgramResult result{row.end, row.code, 7, row.output, ""};
        EXPECT_EQ(outcome(result, Mode::Verify), row.verify) << row.code;
        EXPECT_EQ(outcome(result, Mode::Credentials), row.lookup) << row.code;
    }
}

TEST(Checkpassword, RenamesNobodyInUserdbLookups) {
    ProgramResult result{ProgramResult::End::Exited, 2, 7, "user=\tuserdb_uid=5\t", ""};
    EXPECT_EQ(outcome(result, Mode::User), "yes");
}

class FakeRunner final : public ProgramRunner {
public:
    Result<ProgramResult> run(const ProgramCall& call) override {
        seen = call;
        ++calls;
        return result;
    }
    ProgramResult result;
    ProgramCall seen;
    int calls = 0;
};

class CheckpasswordDriver : public testing::Test {
protected:
    CheckpasswordDriver() {
        set_log_sink([this](LogLevel, std::string_view line) { log += std::string(line) + '\n'; });
        context.programs = &runner;
        PassDbSettings passdb_settings;
        passdb_settings.args = "/bin/check %u";
        UserDbSettings userdb_settings;
        userdb_settings.args = "/bin/check";
        for (const auto& driver : passdb_drivers())
            if (driver.name == "checkpassword") passdb = std::move(*driver.make(passdb_settings, context));
        for (const auto& driver : userdb_drivers())
            if (driver.name == "checkpassword") userdb = std::move(*driver.make(userdb_settings, context));
    }
    ~CheckpasswordDriver() override { set_log_sink({}); }
    void ends(int code, std::string output, std::string errors = "") {
        runner.result = {ProgramResult::End::Exited, code, 1, std::move(output), std::move(errors)};
    }

    FakeRunner runner;
    DriverContext context;
    std::unique_ptr<PassDb> passdb;
    std::unique_ptr<UserDb> userdb;
    std::string log;
};

TEST_F(CheckpasswordDriver, ComparesByTheProgram) {
    ends(0, "user=bob\tuserdb_uid=5\tpassword=x\tfoo=bar\t");
    auto reply = passdb->verify(request_of("bob"), SecretString("pw"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->verdict, Verdict::Match);
    EXPECT_EQ(reply->fields.find("userdb_uid")->value, "5");
    EXPECT_FALSE(reply->fields.contains("password"));
    EXPECT_EQ(runner.seen.words[0], "/bin/check");
    EXPECT_EQ(runner.seen.words[1], "bob");
    EXPECT_EQ(runner.seen.input.reveal(), std::string_view("bob\0pw\0\0", 8));
    ends(1, "");
    EXPECT_EQ(passdb->verify(request_of("bob"), SecretString("pw"))->verdict, Verdict::Mismatch);
    ends(111, "", "no database\nat all\n");
    EXPECT_FALSE(passdb->verify(request_of("bob"), SecretString("pw")));
    EXPECT_NE(log.find("checkpassword(bob): no database\n"), log.npos) << log;
    EXPECT_NE(log.find("checkpassword(bob): at all\n"), log.npos) << log;
}

TEST_F(CheckpasswordDriver, GivesStoredPasswordsInTheSchemeThatWasAskedFor) {
    AuthRequest request = request_of("bob");
    request.mechanism = "CRAM-MD5";
    for (auto [given, stored] : {std::pair("{PLAIN}s", "{PLAIN}s"), std::pair("abc", "{CRAM-MD5}abc")}) {
        ends(2, std::string("password=") + given + "\t");
        auto reply = passdb->lookup(request);
        ASSERT_TRUE(reply && reply->has_password);
        EXPECT_EQ(reply->password.reveal(), stored);
    }
    ends(2, "foo=bar\t");
    EXPECT_FALSE(passdb->lookup(request)->has_password);
    EXPECT_EQ(passdb->lookup(request)->verdict, Verdict::Match);
    ends(3, "");
    EXPECT_EQ(passdb->lookup(request)->verdict, Verdict::UnknownUser);
}

TEST_F(CheckpasswordDriver, TakesOnlyUserdbFieldsForTheUserdb) {
    ends(2, "user=other\tuserdb_uid=5\tuserdb_gid=root\tuserdb_home=/h\tuserdb_=x\tfoo=bar\t");
    auto reply = userdb->lookup(request_of("bob"));
    ASSERT_TRUE(reply && reply->found);
    EXPECT_EQ(reply->fields.size(), 3u);
    EXPECT_EQ(reply->fields.find("gid")->value, "0");
    ends(2, "userdb_uid=no-such-user\t");
    EXPECT_FALSE(userdb->lookup(request_of("bob")));
    ends(3, "");
    EXPECT_FALSE(userdb->lookup(request_of("bob"))->found);
}

TEST_F(CheckpasswordDriver, RunsNothingForANameOrPasswordWithANul) {
    ends(0, "user=bob\t");
    EXPECT_EQ(passdb->verify(request_of("bob"), SecretString(std::string_view("pw\0x", 4)))->verdict,
              Verdict::Mismatch);
    EXPECT_EQ(passdb->verify(request_of(std::string("bob\0x", 5)), SecretString("pw"))->verdict, Verdict::Mismatch);
    EXPECT_EQ(runner.calls, 0);
}

TEST_F(CheckpasswordDriver, WantsAWholePath) {
    for (const char* args : {"", "check", "./check", " "}) {
        PassDbSettings settings;
        settings.args = args;
        for (const auto& driver : passdb_drivers())
            if (driver.name == "checkpassword") {
                EXPECT_FALSE(driver.make(settings, context)) << args;
            }
    }
}

}  // namespace
}  // namespace culver::checkpassword
