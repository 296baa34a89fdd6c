// The configuration language, rule by rule (docs/config-language.md). The same cases run against Debian's doveconf in
// tests/protocol/doveconf-compare.py; here they are checked on the values that programs get.
#include "config-fixture.h"

namespace culver {
namespace {

using Language = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(Language, AnEmptyFileGivesTheDefaults) {
    auto loaded = load("");
    ASSERT_TRUE(loaded.settings);
    EXPECT_TRUE(loaded.diagnostics.empty());
    EXPECT_EQ(loaded.settings->string("mail_location"), "");
    EXPECT_TRUE(loaded.settings->boolean("disable_plaintext_auth"));
    EXPECT_EQ(loaded.settings->number("first_valid_uid"), 500U);
    EXPECT_EQ(loaded.settings->size("imap_max_line_length"), 65536U);
    EXPECT_EQ(loaded.settings->time("auth_failure_delay"), std::chrono::seconds(2));
    EXPECT_EQ(loaded.settings->string("login_greeting"), "Dovecot (Debian) ready.");
    EXPECT_FALSE(loaded.settings->is_set("login_greeting"));
    EXPECT_EQ(loaded.settings->origin("login_greeting").to_string(), "default");
}

TEST_F(Language, ValuesAreReadAsTheirTypeSays) {
    struct Row {
        const char *text, *name, *expected;
    };
    static const Row kRows[] = {
        {"mail_home = a b ", "mail_home", "a b"},
        {"mail_home=b", "mail_home", "b"},
        {"  mail_home\t=\tb  # c", "mail_home", "b"},
        {"mail_home = \" x\"", "mail_home", " x"},
        {"mail_home = 'a#b'", "mail_home", "a#b"},
        {"mail_home =", "mail_home", ""},
        {"mail_home = \"a\\\"b\\\\c\"", "mail_home", "a\"b\\c"},
        {"mail_home = it's # x", "mail_home", "it's # x"},
        {"mail_home = \"a # b\" c", "mail_home", "\"a # b\" c"},
        {"mail_home == x", "mail_home", "= x"},
        {"mail_home = a\\\n   b\\\nc", "mail_home", "a b c"},
        {"mail_home = x\r", "mail_home", "x"},
        {"auth_failure_delay = 5s", "auth_failure_delay", "5 secs"},
        {"auth_cache_ttl = 7200 seconds", "auth_cache_ttl", "2 hours"},
        {"auth_cache_ttl = 90m", "auth_cache_ttl", "90 mins"},
        {"auth_cache_ttl = 1 WEEK", "auth_cache_ttl", "1 weeks"},
        {"auth_cache_ttl = 0", "auth_cache_ttl", "0"},
        {"login_proxy_timeout = 1500 ms", "login_proxy_timeout", "1500 ms"},
        {"auth_cache_size = 10MiB", "auth_cache_size", "10 M"},
        {"auth_cache_size = 1500", "auth_cache_size", "1500 B"},
        {"auth_cache_size = 2 kB", "auth_cache_size", "2 k"},
        {"mail_debug = Y", "mail_debug", "yes"},
        {"mail_debug = 1", "mail_debug", "yes"},
        {"mail_debug = NO", "mail_debug", "no"},
        {"mail_home = $ENV:CULVER_NO_SUCH x", "mail_home", " x"},
        {"mail_home = \"$hostname\"", "mail_home", "$hostname"},
        {"mail_home = x-$hostname", "mail_home", "x-$hostname"},
        {"hostname = h\nmail_home = a $hostname b", "mail_home", "a h b"},
        {"auth_mechanisms = $auth_mechanisms login", "auth_mechanisms", "plain login"},
        {"protocols = $protocols imap", "protocols", " imap"},
        {"mail_uid = a\nmail_uid = b", "mail_uid", "b"},
    };
    for (const auto& row : kRows) EXPECT_EQ(settings(row.text)->string(row.name), row.expected) << row.text;
}

TEST_F(Language, MistakesAreNamedInDovecotsWords) {
    struct Row {
        const char *text, *expected;
    };
    static const Row kRows[] = {
        {"foo = 1", "1: Unknown setting: foo"},
        {"service imap {\n bogus = 1\n}", "2: Unknown setting: service { bogus"},
        {"service imap {\n unix_listener x {\n  foo = 1\n }\n}", "3: Unknown setting: service { unix_listener { foo"},
        {"foo x {\n a = b\n}", "1: Unknown setting: foo { foo"},
        {"service/imap/foo = 1", "1: Unknown setting: service/imap/foo"},
        {"mail_debug = maybe", "1: Invalid boolean value: maybe (use yes or no)"},
        {"mail_debug = false", "1: Invalid boolean value: false (use yes or no)"},
        {"first_valid_uid = abc", "1: Invalid number abc: Not a valid number"},
        {"first_valid_uid = -1", "1: Invalid number -1: Number too small"},
        {"first_valid_uid = 99999999999", "1: Invalid number 99999999999: Number too large"},
        {"auth_cache_ttl = 5 foo", "1: Invalid time interval: 5 foo"},
        {"auth_cache_ttl = 60", "1: Time interval '60' is missing units (add e.g. 's' for seconds)"},
        {"auth_cache_ttl = 5 ms", "1: Milliseconds not supported for this setting: 5 ms"},
        {"auth_cache_size = 1.5 M", "1: Invalid size: 1.5 M"},
        {"auth_cache_size = unlimited", "1: Invalid size: unlimited"},
        {"auth_cache_size = 99999999999999999 T", "1: Invalid size: 99999999999999999 T"},
        {"ssl = YES", "1: Invalid value: YES"},
        {"mode", "1: Expecting '{'"},
        {"service imap\n{\n}", "1: Expecting '{'"},
        {"service imap { a = b }", "1: Garbage after '{'"},
        {"= x", "1: Missing key name ('=' at the beginning of line)"},
        {"mail_uid = x\n}", "2: Unexpected '}'"},
        {"!include nope.conf", "1: No matches"},
        {"mail_home = $nosuch", "1: Unknown variable: $nosuch"},
        {"plugin {\n a/b = c\n}", "2: Unknown setting: plugin { a/b"},
        {"passdb {\n args = x\n}", "1: passdb is missing driver"},
        {"protocols = foo", "1: protocols: Unknown protocol: foo"},
        {"ssl_cert = </nonexistent", "1: ssl_cert: Can't open file /nonexistent: No such file or directory"},
        {"passdb a {\n driver = pam\n}\npassdb a {\n driver = pam\n}", "4: passdb/a already exists"},
        {"protocol imap {\n local 1.1.1.1 {\n }\n}",
         "2: protocol { local { .. } } not allowed (use local { protocol { .. } } instead)"},
        {"local 1.2.3.4/99 {\n}", "1: Invalid network mask: 99"},
        {"namespace {\n separator = //\n}", "2: Namespace '': Hierarchy separator must be only one character long"},
        {"namespace a {\n mailbox S {\n  special_use = \\\\Sent\n }\n}", "3: mailbox S: unknown special_use: \\\\Sent"},
    };
    for (const auto& row : kRows) {
        auto loaded = load(std::string(row.text) + "\n");
        EXPECT_FALSE(loaded.settings) << row.text;
        auto found = texts(loaded.diagnostics, Severity::Error);
        ASSERT_FALSE(found.empty()) << row.text;
        EXPECT_EQ(found[0], row.expected) << row.text;
        EXPECT_NE(loaded.diagnostics[0].hint + "?", "") << row.text;
    }
}

TEST_F(Language, AllMistakesComeOutInOneRunWithAWayOut) {
    auto loaded = load(
        "mail_loction = x\nssl = maybe\nservice imap {\n clientlimit = 1\n}\nnamspace x {\n prefix = y\n}\nfoo = "
        "1\n}\n");
    EXPECT_EQ(texts(loaded.diagnostics, Severity::Error),
              (Strings{"1: Unknown setting: mail_loction", "2: Invalid value: maybe",
                       "4: Unknown setting: service { clientlimit", "6: Unknown setting: namspace { namspace",
                       "9: Unknown setting: foo", "10: Unexpected '}'"}));
    EXPECT_EQ(loaded.diagnostics[0].hint, "did you mean \"mail_location\"?");
    EXPECT_EQ(loaded.diagnostics[1].hint, "ssl: write no, yes or required");
    EXPECT_EQ(loaded.diagnostics[2].hint, "did you mean \"client_limit\"?");
    EXPECT_EQ(format_diagnostics({loaded.diagnostics[0]}, "doveconf"),
              "doveconf: Fatal: Error in configuration file " + path("dovecot.conf") +
                  " line 1: Unknown setting: mail_loction\n    did you mean \"mail_location\"?\n");
}

TEST_F(Language, AMissingFileAndAnOpenSectionAreNamed) {
    LoadOptions options;
    options.path = path("nope.conf");
    auto loaded = load_settings(options);
    ASSERT_EQ(loaded.diagnostics.size(), 1U);
    EXPECT_EQ(format_diagnostic(loaded.diagnostics[0]), "open(" + options.path + ") failed: No such file or directory");
    loaded = load("namespace a {\n mailbox b {\n");
    EXPECT_EQ(format_diagnostic(loaded.diagnostics.at(0)), "Error in configuration file " + path("dovecot.conf") +
                                                               ": Missing '}' (section started at " +
                                                               path("dovecot.conf") + ":2)");
}

TEST_F(Language, IncludesAreSortedRelativeAndLandWhereTheyStand) {
    write("conf.d/20-b.conf", "mail_uid = b\n");
    write("conf.d/10-a.conf", "mail_uid = a\nmail_gid = a\n!include ../more.part\n");
    write("more.part", "mail_home = more\n");
    write("listener.part", "mode = 0660\n");
    auto s = settings(
        "!include conf.d/*.conf\n!include_try nope/*.conf\nservice auth {\n unix_listener x {\n  !include "
        "listener.part\n }\n}\n");
    EXPECT_EQ(s->string("mail_uid"), "b");
    EXPECT_EQ(s->string("mail_gid"), "a");
    EXPECT_EQ(s->string("mail_home"), "more");
    EXPECT_EQ(s->origin("mail_home").to_string(), folder_ + "/conf.d/../more.part:1");
    EXPECT_EQ(s->find_service("auth")->listeners.back().mode, 0660U);
}

TEST_F(Language, IncludeLoopsAndFloodsEnd) {
    auto loaded = load("!include dovecot.conf\n");
    EXPECT_EQ(texts(loaded.diagnostics, Severity::Error)[0], "1: Recursive include file: " + path("dovecot.conf"));
    for (char c = 'a'; c < 'p'; ++c) {
        std::string next = std::string("!include ") + static_cast<char>(c + 1) + ".inc\n";
        write(std::string(1, c) + ".inc", next + next + next);
    }
    write("p.inc", "mail_uid = x\n");
    EXPECT_FALSE(load("!include a.inc\n").settings);  // 3^15 files, if nobody counted
}

TEST_F(Language, ValuesFromFilesKeepEveryByte) {
    write("greeting", "hello\nworld # x\n");
    auto s = settings("login_greeting = <greeting\nmail_home = \"<greeting\"\n");
    EXPECT_EQ(s->string("login_greeting"), "hello\nworld # x\n");
    EXPECT_EQ(s->string("mail_home"), "<greeting");
}

TEST_F(Language, NamedSectionsMergeUnnamedOnesAreNew) {
    auto s = settings(
        "namespace inbox {\n inbox = yes\n mailbox Sent {\n  auto = create\n }\n}\n"
        "namespace inbox {\n separator = /\n mailbox \"Old Mail\" {\n }\n mailbox Sent {\n  special_use = \\Sent\n "
        "}\n}\n"
        "namespace {\n prefix = a/\n}\nnamespace {\n prefix = b/\n}\n"
        "passdb {\n driver = pam\n}\npassdb x {\n driver = static\n}\n"
        "plugin {\n a = b\n}\nplugin {\n a = c\n}\n");
    ASSERT_EQ(s->namespaces().size(), 3U);
    EXPECT_TRUE(s->namespaces()[0].inbox);
    EXPECT_EQ(s->namespaces()[0].separator, "/");
    ASSERT_EQ(s->namespaces()[0].mailboxes.size(), 2U);
    EXPECT_EQ(s->namespaces()[0].mailboxes[0].autocreate, "create");
    EXPECT_EQ(s->namespaces()[0].mailboxes[0].special_use, "\\Sent");
    EXPECT_EQ(s->namespaces()[0].mailboxes[1].name, "Old Mail");
    EXPECT_EQ(s->namespaces()[2].prefix, "b/");
    ASSERT_EQ(s->passdbs().size(), 2U);
    EXPECT_EQ(s->passdbs()[1].name, "x");
    EXPECT_EQ(s->passdbs()[1].driver, "static");
    EXPECT_EQ(s->passdbs()[1].origin.line, 24U);
    EXPECT_EQ(s->plugin("a"), "c");
    EXPECT_EQ(s->plugin("nope"), "");
}

TEST_F(Language, TwoPassdbsOfOneDriverKeepTheirOwnFlags) {
    auto s = settings(
        "passdb {\n driver = passwd-file\n args = /x\n master = yes\n}\npassdb {\n driver = passwd-file\n args = "
        "/x\n}\n");
    EXPECT_TRUE(s->passdbs()[0].master);
    EXPECT_FALSE(s->passdbs()[1].master);
}

TEST_F(Language, AModeWithoutItsZeroIsDecimalAndWarnedOf) {
    auto loaded = load("service auth {\n unix_listener x {\n  mode = 600\n }\n}\n");
    EXPECT_EQ(loaded.settings->find_service("auth")->listeners.back().mode, 01130U);
    ASSERT_EQ(loaded.diagnostics.size(), 1U);
    EXPECT_EQ(loaded.diagnostics[0].hint, "write mode = 0600");
}

TEST_F(Language, WhatCulverDoesNotActOnIsWarnedOfOnce) {
    auto loaded = load("imap_metadata = yes\nimap_metadata = yes\nimap_urlauth_port = 143\n");
    ASSERT_TRUE(loaded.settings);
    EXPECT_EQ(
        texts(loaded.diagnostics, Severity::Warning),
        (Strings{"1: imap_metadata has no effect: Culver knows this setting of Dovecot but does not act on it yet"}));
}

TEST_F(Language, OldNamesAreTranslated) {
    auto loaded = load(
        "ssl_protocols = !SSLv2 !SSLv3 !TLSv1\nssl_disable = no\nlogin_max_processes_count = 7\nprotocols = imap "
        "imaps\n");
    ASSERT_TRUE(loaded.settings);
    EXPECT_EQ(loaded.settings->string("ssl_min_protocol"), "TLSv1.1");
    EXPECT_EQ(loaded.settings->find_service("imap-login")->process_limit, 7U);
    EXPECT_EQ(loaded.settings->string("protocols"), "imap");
    EXPECT_EQ(loaded.diagnostics.size(), 5U);
    EXPECT_EQ(loaded.diagnostics[1].text, "Obsolete setting in " + path("dovecot.conf") +
                                              ":1: ssl_protocols has been replaced by ssl_min_protocol");
}

TEST_F(Language, AHashWithoutABlankIsACommentWithAWarning) {
    auto loaded = load("mail_uid = a#b\n");
    EXPECT_EQ(loaded.settings->string("mail_uid"), "a");
    ASSERT_EQ(loaded.diagnostics.size(), 1U);
    EXPECT_TRUE(format_diagnostic(loaded.diagnostics[0])
                    .ends_with("line 1: Ambiguous '#' character in line, treating it as comment. Add a space before it "
                               "to remove this warning."));
}

TEST_F(Language, ANulByteIsRefused) {
    auto loaded = load(std::string("mail_home = a\0b\n", 16));
    EXPECT_EQ(texts(loaded.diagnostics, Severity::Error), (Strings{"1: The line holds a NUL byte"}));
}

TEST_F(Language, CommandLineSettingsComeLast) {
    auto loaded = load("mail_uid = a\n", {{"mail_uid", "b"}, {"plugin/x", "y"}, {"service/imap/process_limit", "3"}});
    ASSERT_TRUE(loaded.settings);
    EXPECT_EQ(loaded.settings->string("mail_uid"), "b");
    EXPECT_EQ(loaded.settings->plugin("x"), "y");
    EXPECT_EQ(loaded.settings->find_service("imap")->process_limit, 3U);
    loaded = load("", {{"nope", "b"}});
    EXPECT_EQ(format_diagnostic(loaded.diagnostics.at(0)), "Invalid -o parameter nope=b: Unknown setting: nope");
}

}  // namespace
}  // namespace culver
