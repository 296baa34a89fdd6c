#include "lib-auth/app-passwords/app-password.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <set>

#include "lib-auth/app-passwords/app-password-file.h"
#include "lib-auth/auth-engine.h"
#include "lib-base/log.h"

namespace culver {
namespace {

SecretString letters_of(std::string_view text) { return app_password_letters(text).value_or(SecretString()); }

TEST(AppPassword, IsMadeOfFourGroupsOfUnmistakableLetters) {
    std::set<std::string> seen;
    std::set<char> used;
    for (int i = 0; i < 500; ++i) {
        const SecretString made = make_app_password();
        const std::string text(made.reveal());
        ASSERT_EQ(text.size(), 23u);
        EXPECT_EQ(text[5], '-');
        EXPECT_EQ(text[11], '-');
        EXPECT_EQ(text[17], '-');
        EXPECT_EQ(text.find_first_of("lo01"), text.npos);
        EXPECT_TRUE(app_password_letters(text)) << text;
        EXPECT_TRUE(seen.insert(text).second);
        used.insert(text.begin(), text.end());
    }
    EXPECT_EQ(used.size(), 25u) << "24 letters and the dash";
}

TEST(AppPassword, IsRecognisedAsPeopleTypeIt) {
    for (const char* text : {"abcde-fghij-kmnpq-rstuv", "abcde fghij kmnpq rstuv", "abcdefghijkmnpqrstuv",
                             "Abcde-fghij-kmnpq-rstuv", "ABCDEFGHIJKMNPQRSTUV", "abcde-fghij kmnpq-rstuv"})
        EXPECT_EQ(letters_of(text).reveal(), "abcdefghijkmnpqrstuv") << text;
    for (const char* text : {"", "secret", "abcde-fghij-kmnpq-rstu", "abcde-fghij-kmnpq-rstuvw", "abcdefghijkmnpqrstu1",
                             "lbcde-fghij-kmnpq-rstuv", "abcde_fghij_kmnpq_rstuv", "abcd-efghij-kmnpq-rstuv",
                             "correct horse battery st", "abcdefghijkmnpqrst v", "abcde-fghij-kmnpq-rstu\xc3"})
        EXPECT_FALSE(app_password_letters(text)) << text;
    EXPECT_FALSE(app_password_letters(std::string("abcdefghijkmnpqrstu\0", 20)));
}

TEST(AppPassword, IsKeptAsASaltedHash) {
    const SecretString letters = letters_of("abcde-fghij-kmnpq-rstuv");
    const std::string kept = hash_app_password(letters);
    EXPECT_TRUE(kept.starts_with("sha256$"));
    EXPECT_EQ(kept.size(), 7u + 32 + 1 + 64);
    EXPECT_NE(kept, hash_app_password(letters)) << "a salt of its own";
    EXPECT_TRUE(matches_app_password(kept, letters));
    EXPECT_FALSE(matches_app_password(kept, letters_of("bbcde-fghij-kmnpq-rstuv")));
    for (std::string bad :
         {std::string(), kept.substr(1), kept + "0", kept.substr(0, kept.size() - 1), "sha257" + kept.substr(6)})
        EXPECT_FALSE(matches_app_password(bad, letters)) << bad;
    std::string not_hex = kept;
    not_hex.back() = 'z';
    EXPECT_FALSE(matches_app_password(not_hex, letters));
    // sha256(16 bytes 00 .. 0f, "abcdefghijkmnpqrstuv"): what is in files must stay readable.
    EXPECT_TRUE(
        matches_app_password("sha256$000102030405060708090a0b0c0d0e0f$"
                             "2f7a99edb674db7d3402771b08b0f88af2471cdf098141d94ffd2e1eae78a314",
                             letters));
}

TEST(AppPassword, ServicesAreCalledByOneName) {
    std::vector<std::string> unknown;
    EXPECT_EQ(*parse_app_services("IMAP, submission,smtp imaps"), "imap smtp");
    EXPECT_EQ(*parse_app_services(""), "");
    EXPECT_EQ(*parse_app_services("managesieve imp", &unknown), "sieve imp");
    EXPECT_EQ(unknown, std::vector<std::string>{"imp"});
    EXPECT_FALSE(parse_app_services("imap;drop"));
    EXPECT_TRUE(serves("", "anything"));
    EXPECT_TRUE(serves("imap smtp", "submission"));
    EXPECT_TRUE(serves("imap smtp", "smtp"));
    EXPECT_FALSE(serves("imap smtp", "pop3"));
    EXPECT_FALSE(serves("imap", "imaps2"));
}

TEST(AppPassword, NetworksAreChecked) {
    EXPECT_EQ(*parse_app_networks("192.0.2.0/24 2001:db8::/32,local"), "192.0.2.0/24,2001:db8::/32,local");
    for (const char* bad : {"192.0.2.0/33", "example.test", "192.0.2"}) EXPECT_FALSE(parse_app_networks(bad)) << bad;
}

TEST(AppPassword, ExpiryIsASpanOrADay) {
    const std::int64_t now = 1'900'000'000;
    const struct {
        const char* text;
        std::int64_t seconds;
    } kSpans[] = {{"90d", 90 * 86400},      {"12 weeks", 84 * 86400}, {"1h", 3600},    {"30 min", 1800},
                  {"2 months", 60 * 86400}, {"1y", 365 * 86400},      {"1 day", 86400}};
    for (const auto& span : kSpans) EXPECT_EQ(**parse_app_expiry(span.text, now), now + span.seconds) << span.text;
    EXPECT_FALSE(parse_app_expiry("never", now)->has_value());
    EXPECT_GT(**parse_app_expiry("2040-12-31", now), **parse_app_expiry("2040-12-31 18:00", now));
    for (const char* bad : {"", "soon", "12", "d", "2020-01-01", "2040-02-31", "2040-13-01", "99999999999d", "0d", "5m",
                            "2040-12-31 25:00", "-5d"})
        EXPECT_FALSE(parse_app_expiry(bad, now)) << bad;
}

TEST(AppPassword, NamesAreNoIds) {
    for (const char* good : {"phone", "Thunderbird 115", "téléphone", "a1"})
        EXPECT_TRUE(check_app_password_name(good)) << good;
    for (const std::string& bad : {std::string(), std::string("17"), std::string("a\nb"), std::string(65, 'a'),
                                   std::string("\xff"), std::string("--all")})
        EXPECT_FALSE(check_app_password_name(bad)) << bad;
}

TEST(AppPassword, SaysWhyItIsNoGood) {
    AppPassword row;
    EXPECT_EQ(refusal_of(row, "imap", "", 100), "");
    row.services = "imap smtp";
    EXPECT_EQ(refusal_of(row, "submission", "192.0.2.7", 100), "");
    EXPECT_EQ(refusal_of(row, "pop3", "192.0.2.7", 100), "is not good for service pop3, only for imap smtp");
    row.networks = "192.0.2.0/24";
    EXPECT_EQ(refusal_of(row, "imap", "192.0.2.7", 100), "");
    EXPECT_EQ(refusal_of(row, "imap", "198.51.100.1", 100),
              "is not good for address 198.51.100.1, only for 192.0.2.0/24");
    EXPECT_EQ(refusal_of(row, "imap", "", 100), "is not good for a client without an address");
    row.expires = 100;
    EXPECT_EQ(refusal_of(row, "imap", "192.0.2.7", 99), "");
    EXPECT_EQ(refusal_of(row, "imap", "192.0.2.7", 100), "has expired");
}

TEST(AppPassword, TheRuleNamesServices) {
    EXPECT_FALSE(is_app_password_required("no", "imap"));
    EXPECT_TRUE(is_app_password_required("yes", "imap"));
    EXPECT_TRUE(is_app_password_required("", "imap")) << "a bare passdb field";
    EXPECT_TRUE(is_app_password_required("imap,pop3", "imap"));
    EXPECT_TRUE(is_app_password_required("submission", "smtp"));
    EXPECT_FALSE(is_app_password_required("imap pop3", "smtp"));
}

class AppPasswordFileTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "/app-password-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        path = name + "/app.sqlite";
    }
    AppPassword row(const std::string& user, const std::string& name,
                    const std::string& text = "abcde-fghij-kmnpq-rstuv") {
        AppPassword out;
        out.user = user;
        out.name = name;
        out.secret = hash_app_password(letters_of(text));
        out.created = 1000;
        return out;
    }
    std::string path;
};

TEST_F(AppPasswordFileTest, KeepsRowsAndNeverGivesAnIdOutAgain) {
    AppPasswordFile file(path);
    ASSERT_FALSE(file.of_user("alice")) << "missing is not empty";
    ASSERT_TRUE(file.create(std::nullopt));
    ASSERT_TRUE(file.create(std::nullopt)) << "a second time changes nothing";
    AppPassword phone = row("alice", "phone");
    phone.services = "imap smtp";
    phone.networks = "192.0.2.0/24";
    phone.expires = 5000;
    EXPECT_EQ(file.add(phone)->id, 1);
    EXPECT_EQ(file.add(phone).error().code, ErrorCode::AlreadyExists);
    EXPECT_EQ(file.add(row("alice", ""))->name, "app-1");
    EXPECT_EQ(file.add(row("alice", ""))->name, "app-2");
    EXPECT_EQ(file.add(row("bob'; DROP TABLE app_passwords;--", "x'\""))->id, 4);
    auto rows = *file.of_user("alice");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0].services, "imap smtp");
    EXPECT_EQ(rows[0].networks, "192.0.2.0/24");
    EXPECT_EQ(rows[0].expires, 5000);
    EXPECT_FALSE(rows[1].expires);
    EXPECT_EQ(file.all()->size(), 4u);
    EXPECT_TRUE(file.revoke("bob", "1")->empty()) << "an id of somebody else";
    EXPECT_EQ(file.revoke("alice", "phone")->at(0).id, 1);
    EXPECT_EQ(file.revoke("alice", "3")->at(0).name, "app-2");
    EXPECT_EQ(file.revoke("bob'; DROP TABLE app_passwords;--", std::nullopt)->size(), 1u);
    EXPECT_EQ(file.add(row("alice", "again"))->id, 5) << "4 was somebody's";
    struct stat st;
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(AppPasswordFileTest, RemembersTheLastUse) {
    AppPasswordFile file(path);
    ASSERT_TRUE(file.last_uses()->empty()) << "no file, no uses";
    ASSERT_TRUE(file.create(std::nullopt));
    ASSERT_TRUE(file.record_use(7, {1234, "imap", "192.0.2.7"}));
    ASSERT_TRUE(file.record_use(7, {1300, "smtp", ""}));
    auto uses = *file.last_uses();
    ASSERT_EQ(uses.size(), 1u);
    EXPECT_EQ(uses[7].when, 1300);
    EXPECT_EQ(uses[7].service, "smtp");
    std::ofstream(file.last_use_path()) << "no database at all, but long enough to be read as one";
    EXPECT_FALSE(file.record_use(7, {1400, "imap", ""}));
}

TEST_F(AppPasswordFileTest, OneUserHasAHundredAtMost) {
    AppPasswordFile file(path);
    ASSERT_TRUE(file.create(std::nullopt));
    AppPassword one = row("alice", "");
    for (std::size_t i = 0; i < AppPasswordFile::kLimitPerUser; ++i) ASSERT_TRUE(file.add(one));
    EXPECT_EQ(file.add(one).error().code, ErrorCode::Limit);
}

// A login walks as authd does it: on the loop first, where it may block only when it says so.
// PAM and /etc/shadow: says yes to everything until told otherwise.
class FakeSystem final : public PamBackend {
public:
    Result<PamAnswer> authenticate(const PamCall& call) override {
        calls.push_back(call);
        return answer;
    }
    std::vector<PamCall> calls;
    PamAnswer answer = yes();

private:
    static PamAnswer yes() {
        PamAnswer out;
        out.verdict = Verdict::Match;
        return out;
    }
};

class AppPasswordLoginTest : public AppPasswordFileTest {
protected:
    static constexpr const char* kPhone = "abcde-fghij-kmnpq-rstuv";

    void SetUp() override {
        AppPasswordFileTest::SetUp();
        settings.app_passwords = path;
        set_log_sink([this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
        ASSERT_TRUE(AppPasswordFile(path).create(std::nullopt));
        passdb(
            "alice:{PLAIN}secret::::::userdb_mail=maildir:~/M\nbob:{PLAIN}secret\nlocked:{CRYPT}!x\nnobodys:{CRYPT}*\n"
            "bang:{PLAIN}!secret\n"
            "netted:{PLAIN}secret::::::allow_nets=198.51.100.0/24\noff:{PLAIN}secret::::::nologin\n"
            "strict:{PLAIN}secret::::::app_password_required=imap,pop3\nfree:{PLAIN}secret::::::app_password_required="
            "no\n");
    }
    void TearDown() override {
        set_log_sink([](LogLevel, std::string_view) {});
    }
    PassDbSettings& passdb(const std::string& text) {
        PassDbSettings db;
        db.driver = "passwd-file";
        db.args = path + ".users" + std::to_string(settings.passdbs.size());
        std::ofstream(db.args) << text;
        return settings.passdbs.emplace_back(db);
    }
    std::int64_t add(AppPassword wanted) {
        auto added = AppPasswordFile(path).add(std::move(wanted));
        EXPECT_TRUE(added) << added.error().detail;
        return added ? added->id : 0;
    }
    AuthEngine& engine() {
        if (!engine_) engine_ = *AuthEngine::create(settings, DriverContext{&files, &system});
        return *engine_;
    }
    AuthResult log_in(const std::string& user, const std::string& password, const std::string& service = "imap",
                      const std::string& mechanism = "PLAIN") {
        request = AuthRequest{};
        request.service = service;
        request.mechanism = mechanism;
        request.remote_ip = "192.0.2.7";
        log.clear();
        EXPECT_TRUE(engine().set_user(request, user));
        auto walk = engine().start_verify(request, SecretString(password));
        for (pauses = 0; pauses < 20; ++pauses) {
            auto result = engine().advance(*walk, pauses == 0 ? Work::Cheap : AuthEngine::wanted_work(*walk));
            if (result) return *result;
        }
        return AuthResult::InternalFailure;
    }

    PasswdFileRegistry files;
    FakeSystem system;
    AuthSettings settings;
    AuthRequest request;
    std::string log;
    int pauses = 0;
    std::shared_ptr<AuthEngine> engine_;
};

TEST_F(AppPasswordLoginTest, LogsInBesideTheMainPassword) {
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    EXPECT_EQ(request.app_password, "\"phone\" (id 1)");
    EXPECT_NE(log.find("app-password(alice,192.0.2.7): \"phone\" (id 1) used for service imap"), log.npos) << log;
    EXPECT_EQ(log.find("abcde"), log.npos) << "never the secret";
    EXPECT_TRUE(request.has_userdb_fields) << "the passdb's fields are there as with the main password";
    EXPECT_TRUE(request.passdb_succeeded);
    EXPECT_EQ(log_in("alice", "secret"), AuthResult::Ok);
    EXPECT_EQ(pauses, 0) << "an ordinary password never touches the file";
    EXPECT_EQ(request.app_password, "");
    EXPECT_EQ(log_in("alice", "bbcde-fghij-kmnpq-rstuv"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("bob", kPhone), AuthResult::Mismatch) << "somebody else's";
}

TEST_F(AppPasswordLoginTest, TheMainPasswordMayLookLikeOne) {
    settings.passdbs.clear();
    passdb("carol:{PLAIN}abcdefghijkmnpqrstuv\n");
    EXPECT_EQ(log_in("carol", "abcdefghijkmnpqrstuv"), AuthResult::Ok);
    EXPECT_EQ(log_in("carol", "Abcdefghijkmnpqrstuv"), AuthResult::Mismatch) << "the main one is compared as it is";
}

TEST_F(AppPasswordLoginTest, ARevokedOneFailsAtTheNextLogin) {
    const std::int64_t id = add(row("alice", "phone"));
    // Old enough that authd keeps the rows in memory.
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), old, 0), 0);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    EXPECT_EQ(pauses, 0) << "from memory, on the loop";
    ASSERT_EQ(AppPasswordFile(path).revoke("alice", std::to_string(id))->size(), 1u);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Mismatch);
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
}

TEST_F(AppPasswordLoginTest, IsGoodForItsServicesNetworksAndTime) {
    AppPassword wanted = row("alice", "phone");
    wanted.services = "smtp";
    add(wanted);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Mismatch);
    EXPECT_NE(log.find("is not good for service imap, only for smtp"), log.npos) << log;
    EXPECT_TRUE(request.fields.empty()) << "nothing for the client";
    EXPECT_EQ(log_in("alice", kPhone, "submission"), AuthResult::Ok);
    wanted = row("bob", "phone", "bbcde-fghij-kmnpq-rstuv");
    wanted.networks = "198.51.100.0/24";
    add(wanted);
    EXPECT_EQ(log_in("bob", "bbcde-fghij-kmnpq-rstuv"), AuthResult::Mismatch);
    wanted = row("bob", "old", "cbcde-fghij-kmnpq-rstuv");
    wanted.expires = 2000;
    add(wanted);
    EXPECT_EQ(log_in("bob", "cbcde-fghij-kmnpq-rstuv"), AuthResult::Mismatch);
    EXPECT_NE(log.find("has expired"), log.npos) << log;
}

TEST_F(AppPasswordLoginTest, TheDatabasesStillDecide) {
    passdb("denied\n").deny = true;
    std::rotate(settings.passdbs.begin(), settings.passdbs.begin() + 1, settings.passdbs.end());
    std::ofstream(settings.passdbs[1].args, std::ios::app) << "denied:{PLAIN}secret\n";
    for (const char* user : {"denied", "locked", "nobodys", "netted", "off", "gone", "bang"}) add(row(user, "phone"));
    EXPECT_EQ(log_in("denied", kPhone), AuthResult::Disabled);
    EXPECT_EQ(log_in("locked", kPhone), AuthResult::Disabled) << "'!' before the hash locks the account";
    EXPECT_EQ(log_in("bang", kPhone), AuthResult::Ok) << "a password in the clear may begin with '!'";
    EXPECT_EQ(log_in("bang", "!secret"), AuthResult::Ok);
    EXPECT_EQ(log_in("nobodys", kPhone), AuthResult::Ok) << "'*' only says that there is no main password";
    EXPECT_EQ(log_in("netted", kPhone), AuthResult::UnknownUser) << "allow_nets";
    EXPECT_EQ(log_in("off", kPhone), AuthResult::Ok);
    EXPECT_TRUE(request.fields.contains("nologin"));
    EXPECT_EQ(log_in("gone", kPhone), AuthResult::UnknownUser) << "no passdb knows him any more";
}

TEST_F(AppPasswordLoginTest, APassDbThatKeepsItsPasswordsNeedsAUserDbThatKnowsTheUser) {
    settings.passdbs.clear();
    PassDbSettings pam;
    pam.driver = "pam";
    settings.passdbs.push_back(pam);
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::InternalFailure) << "the implied static userdb knows nobody";
    EXPECT_NE(log.find("allow_all_users"), log.npos) << log;
    engine_.reset();
    UserDbSettings users;
    users.driver = "passwd-file";
    users.args = path + ".userdb";
    std::ofstream(users.args) << "alice::1000:1000::/home/alice::\n";
    settings.userdbs.push_back(users);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    add(row("gone", "phone"));
    EXPECT_EQ(log_in("gone", kPhone), AuthResult::UnknownUser);
}

TEST_F(AppPasswordLoginTest, PamsRulesForAccountsAreAsked) {
    settings.passdbs.clear();
    PassDbSettings pam;
    pam.driver = "pam";
    settings.passdbs.push_back(pam);
    UserDbSettings users;
    users.driver = "passwd-file";
    users.args = path + ".userdb";
    std::ofstream(users.args) << "alice::1000:1000::/home/alice::\n";
    settings.userdbs.push_back(users);
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    ASSERT_EQ(system.calls.size(), 1u);
    EXPECT_EQ(system.calls[0].kind, PamCall::Kind::PamAccount);
    EXPECT_EQ(system.calls[0].remote_ip, "192.0.2.7");
    EXPECT_EQ(system.calls[0].password, "") << "PAM is not told what it need not know";
    for (auto [verdict, expected] : {std::pair{Verdict::Expired, AuthResult::Expired},
                                     {Verdict::Mismatch, AuthResult::Mismatch},
                                     {Verdict::UnknownUser, AuthResult::UnknownUser}}) {
        system.answer.verdict = verdict;
        system.answer.error = "pam_acct_mgmt() failed: no";
        EXPECT_EQ(log_in("alice", kPhone), expected);
        EXPECT_NE(request.trail.text().find("matched; pam(dovecot): "), std::string::npos) << request.trail.text();
    }
    system.answer.temporary_failure = true;
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::InternalFailure);
    // A passdb behind it may know him, as with the main password.
    system.answer.temporary_failure = false;
    passdb("alice:{PLAIN}secret\n");
    engine_.reset();
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
}

TEST_F(AppPasswordLoginTest, AnAccountThatHasExpiredInShadowLetsNobodyIn) {
    for (const char* driver : {"shadow", "passwd"}) {
        settings.passdbs.clear();
        PassDbSettings db;
        db.driver = driver;
        settings.passdbs.push_back(db);
        engine_.reset();
        system.calls.clear();
        add(row("root", driver));
        system.answer.verdict = Verdict::Match;
        system.answer.secret = SecretString("$6$x$y");
        const bool is_asked = log_in("root", kPhone) == AuthResult::Ok && !system.calls.empty();
        if (!is_asked) continue;  // no "x" in this machine's /etc/passwd
        EXPECT_EQ(system.calls[0].kind, PamCall::Kind::ShadowAccount);
        system.answer.verdict = Verdict::Expired;
        EXPECT_EQ(log_in("root", kPhone), AuthResult::Expired) << driver;
        EXPECT_NE(request.trail.text().find("the account has expired"), std::string::npos) << request.trail.text();
        system.answer = PamAnswer();
        system.answer.temporary_failure = true;
        EXPECT_EQ(log_in("root", kPhone), AuthResult::InternalFailure) << driver;
        system.answer = PamAnswer();
    }
}

TEST_F(AppPasswordLoginTest, WhereOneIsNeededTheMainPasswordDoesNotDo) {
    settings.app_password_required = "imap";
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    EXPECT_EQ(log_in("alice", "secret"), AuthResult::Mismatch);
    ASSERT_TRUE(request.fields.contains("reason"));
    EXPECT_NE(request.fields.find("reason")->value.find("app password is needed"), std::string::npos);
    EXPECT_NE(log.find("the main password is right, but an app password is needed for service imap"), log.npos) << log;
    EXPECT_EQ(log_in("alice", "wrong"), AuthResult::Mismatch);
    EXPECT_FALSE(request.fields.contains("reason")) << "a guesser learns nothing";
    EXPECT_EQ(log_in("nobody", "secret"), AuthResult::UnknownUser);
    EXPECT_FALSE(request.fields.contains("reason"));
    EXPECT_EQ(log_in("alice", "secret", "smtp"), AuthResult::Ok) << "not for this service";
    EXPECT_EQ(log_in("free", "secret"), AuthResult::Ok) << "the passdb's field counts more";
}

TEST_F(AppPasswordLoginTest, APassDbFieldAsksForOne) {
    EXPECT_EQ(log_in("strict", "secret"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("strict", "secret", "pop3"), AuthResult::Mismatch);
    EXPECT_EQ(log_in("strict", "secret", "smtp"), AuthResult::Ok);
    EXPECT_FALSE(request.fields.contains("app_password_required")) << "not the client's business";
}

TEST_F(AppPasswordLoginTest, AMechanismThatProvesTheMainPasswordDoesNotGoRoundIt) {
    settings.app_password_required = "yes";
    for (const char* mechanism : {"CRAM-MD5", "SCRAM-SHA-256", "DIGEST-MD5", "EXTERNAL", "OAUTHBEARER"}) {
        request = AuthRequest{};
        request.service = "imap";
        request.mechanism = mechanism;
        ASSERT_TRUE(engine().set_user(request, "alice"));
        ASSERT_EQ(engine().lookup_credentials(request).result, AuthResult::Ok);
        const bool by_password =
            std::string_view(mechanism) != "EXTERNAL" && std::string_view(mechanism) != "OAUTHBEARER";
        EXPECT_EQ(engine().accept(request), by_password ? AuthResult::Mismatch : AuthResult::Ok) << mechanism;
    }
}

TEST_F(AppPasswordLoginTest, ABrokenFileIsATemporaryFailureForAppPasswordsAloneAndMendsItself) {
    add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok);
    ASSERT_EQ(::rename(path.c_str(), (path + ".away").c_str()), 0);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::InternalFailure);
    EXPECT_NE(log.find("app passwords: stat("), log.npos) << log;
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::InternalFailure);
    EXPECT_EQ(log, "") << "said once";
    EXPECT_EQ(log_in("alice", "secret"), AuthResult::Ok);
    std::ofstream(path) << "this is no database, but it is long enough to be taken for one of them";
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::InternalFailure);
    EXPECT_NE(log.find("file is not a database"), log.npos) << log;
    EXPECT_EQ(log_in("alice", "secret"), AuthResult::Ok);
    ASSERT_EQ(::rename((path + ".away").c_str(), path.c_str()), 0);
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok) << "without a restart";
}

TEST_F(AppPasswordLoginTest, TheLastUseIsWrittenOnceAMinuteAndHoldsNobodyUp) {
    const std::int64_t id = add(row("alice", "phone"));
    EXPECT_EQ(log_in("alice", kPhone, "smtp"), AuthResult::Ok);
    auto uses = *AppPasswordFile(path).last_uses();
    ASSERT_TRUE(uses.contains(id));
    EXPECT_EQ(uses[id].service, "smtp");
    EXPECT_EQ(uses[id].address, "192.0.2.7");
    EXPECT_EQ(log_in("alice", kPhone, "imap"), AuthResult::Ok);
    EXPECT_EQ((*AppPasswordFile(path).last_uses())[id].service, "smtp") << "within the minute";
    engine_.reset();
    std::ofstream(path + "-last-use") << "no database at all, but long enough to be read as one";
    EXPECT_EQ(log_in("alice", kPhone), AuthResult::Ok) << "not worth a refusal";
    EXPECT_NE(log.find("the last use cannot be written"), log.npos) << log;
}

}  // namespace
}  // namespace culver
