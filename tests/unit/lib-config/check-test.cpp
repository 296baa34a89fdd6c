// check_settings: what parses and still cannot work.
#include <fmt/format.h>

#include "config-fixture.h"

namespace culver {
namespace {

using Check = ConfigTest;

constexpr char kGood[] =
    "protocols = imap lmtp\nssl = no\nmail_uid = 5000\nmail_gid = 5000\nmail_home = /h/%u\nmail_location = "
    "maildir:~/m\n"
    "passdb {\n driver = static\n args = password=x\n}\n";

class CheckTest : public Check {
protected:
    // "text | hint" of everything that is found.
    std::string found(const std::string& text) {
        auto loaded = load(text);
        if (!loaded.settings) return "does not load: " + format_diagnostics(loaded.diagnostics, "test");
        std::string out;
        for (const auto& each : check_settings(*loaded.settings))
            out += format_diagnostic(each) + " | " + each.hint + "\n";
        return out;
    }
    bool finds(const std::string& text, const std::string& expected) {
        std::string all = found(text);
        if (all.find(expected) != std::string::npos) return true;
        ADD_FAILURE() << "expected: " << expected << "\nfound:\n" << all;
        return false;
    }
};

bool is_about_accounts(const std::string& text) { return text.find("doesn't exist: dove") != std::string::npos; }

TEST_F(CheckTest, AGoodConfigurationHasNothing) {
    std::string all = found(kGood);
    EXPECT_TRUE(all.empty() || is_about_accounts(all)) << all;
}

TEST_F(CheckTest, AnEmptyFileStartsAndSaysEverythingThatIsMissing) {
    for (const char* text :
         {"protocols is empty", "No passdbs specified in configuration file. PLAIN mechanism needs one",
          "User is missing UID (see mail_uid setting)", "mail_location not set and autodetection failed"})
        finds("", text);
}

TEST_F(CheckTest, MissingPiecesAreNamedWithWhatToWrite) {
    std::string good = kGood;
    finds(good + "protocols = imap pop3\n", "Culver does not serve pop3 yet");
    finds(good + "ssl = yes\n", "ssl = yes, but there is no ssl_cert");
    finds(good + "ssl = required\n", "nobody can log in | write ssl_cert = </path");
    finds(good + "mail_uid = nosuchuser-culver\n",
          "line 11: mail_uid: there is no user nosuchuser-culver | create it: useradd");
    finds(good + "mail_uid = 100\n",
          "mail_uid = 100 (100) is outside first_valid_uid..last_valid_uid: nobody can log in | write first_valid_uid "
          "= 100");
    finds(good + "mail_home = /h/%z\n", "mail_home: Failed to expand /h/%z: Unknown variable '%z'");
    finds(good + "mail_home =\n", "mail_location begins in the home, but users have none");
    finds(good + "mail_location = mbox:~/m\n", "Culver does not read mbox yet");
    for (const char* driver : {"bsdauth", "cdb", "dict", "imap", "lua", "nss", "sia", "vpopmail"})
        finds(good + fmt::format("passdb {{\n driver = {}\n}}\n", driver),
              fmt::format("passdb: Culver does not have the driver {}", driver));
    finds(good + "passdb {\n driver = checkpassword\n args = /no/such/program x\n}\n",
          "passdb checkpassword: /no/such/program cannot be run: No such file or directory | correct args");
    finds(good + "userdb {\n driver = checkpassword\n}\n",
          "userdb checkpassword: args do not begin with the path of a program | write args = /path/of/program");
    finds(good + "userdb {\n driver = pasword\n}\n", "Unknown userdb driver 'pasword'");
    finds(good + "namespace a {\n prefix = x/\n}\n", "inbox=yes namespace missing");
    finds(good + "service lmtp {\n unix_listener /nosuch-culver/x {\n }\n}\n",
          "there is no directory /nosuch-culver/ yet");
    finds(good + "ssl = yes\nssl_min_protocol = TLSv9\n", "Unknown ssl_min_protocol setting 'TLSv9'");
    finds(good + "ssl = yes\nssl_cipher_list = NOSUCH\n", "Can't set cipher list to 'NOSUCH'");
    finds(good + "ssl = yes\nssl_cert = /etc/x.pem\nssl_key = /etc/y.pem\n",
          "you probably forgot '<') | write ssl_cert = </etc/x.pem");
    finds(good + "ssl = yes\nssl_cert = junk\nssl_key = junk\n", "There is no valid PEM certificate");
    finds(good + "ssl = yes\nssl_cert = junk\n", "ssl_cert is set, but ssl_key is not");
}

TEST_F(CheckTest, PasswordFilesAreReadLineByLine) {
    const std::string hash =
        "$6$KvHW9qXuWW2U7U7w$iDElB1uS3EdRz5gLBKquTnvSXrQuIUA.ayqxYmRvsNl.WG3196Lzxn7AiMreaQn//8in60QXmTkhwyDoiyngx.";
    auto config = [&](const std::string& scheme) {
        return std::string(kGood) + "passdb {\n driver = passwd-file\n args = scheme=" + scheme + " " + path("users") +
               "\n}\n";
    };
    write("users", "# comment\n\na:{SHA512-CRYPT}" + hash + "\nb:" + hash + "\n");
    EXPECT_EQ(found(config("CRYPT")).find("users line"), std::string::npos);
    finds(config("PLAIN"), "users line 4: the scheme of b's password is PLAIN, so the hash itself is the password");
    finds(config("NOSUCH"), "Unknown password scheme NOSUCH");
    write("users", "a:{SHA512-CRYPT}" + hash + "`\nb:{SHA512-CRYPT}" + hash.substr(0, 80) +
                       "\nc:{FOO}x\nd:{LANMAN}x\nE:{PLAIN}x\n"
                       "c:{PLAIN}y\n:z\nf:{PLAIN\ng:{PLAIN}x\r\nh\n");
    finds(config("CRYPT"), "users line 1: user a: the password hash holds '`', which no hash has");
    finds(config("CRYPT"), "users line 2: user b: the password hash has");
    finds(config("CRYPT"), "users line 3: Unknown scheme FOO");
    finds(config("CRYPT"), "users line 4: the password of d has the scheme LANMAN, which Culver does not verify yet");
    finds(config("CRYPT"), "users line 5: user E can never log in");
    finds(config("CRYPT"), "users line 6: User c exists more than once");
    finds(config("CRYPT"), "users line 7: the line has no user name");
    finds(config("CRYPT"), "users line 8: the password of f begins with { but has no }");
    finds(config("CRYPT"), "users line 9: the line ends in CR LF");
    finds(config("CRYPT"), "users line 10: user h has no password");
    finds(std::string(kGood) + "passdb {\n driver = passwd-file\n args = /nosuch-culver\n}\n",
          "passwd-file open(/nosuch-culver)");
}

TEST_F(CheckTest, UserFilesNeedAccounts) {
    write("users", "a:{PLAIN}x\nb:{PLAIN}sec:ret:::\nc:{PLAIN}x::::/home/c::\nd:{PLAIN}x:0:0::\n");
    std::string config = std::string(kGood) + "userdb {\n driver = passwd-file\n args = " + path("users") + "\n}\n";
    finds(config, "users line 1: User a is missing userdb info");
    finds(config, "users line 2: User b: Invalid UID value 'ret'");
    finds(config, "users line 4: User d: Invalid UID value '0'");
    EXPECT_EQ(found(config).find("User c"), std::string::npos);
    finds(config + "mail_uid =\nmail_gid =\n", "users line 3: User c is missing UID");
}

}  // namespace
}  // namespace culver
