#include "lib-auth/passwd-file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace culver {
namespace {

TEST(PasswdFile, TakesALineApartAtItsColons) {
    struct {
        const char *line, *user, *password, *uid, *home, *extra, *old_mail;
        bool userdb;
    } cases[] = {
        {"u", "u", "", "", "", "", "", false},
        {"u:{PLAIN}x", "u", "{PLAIN}x", "", "", "", "", false},
        {"u:p:1:2:gecos:/home:/bin/sh", "u", "p", "1", "/home", "", "", true},
        {"u:p:1:2::/home::a=b allow_nets=::1/128", "u", "p", "1", "/home", "a=b allow_nets=::1/128", "", true},
        {"u:p::::::", "u", "p", "", "", "", "", true},
        {"u:p:1:2::/h:sh::maildir:/x", "u", "p", "1", "/h", "", "maildir:/x", true},
        {"  u8:x", "  u8", "x", "", "", "", "", false},
        {":::::::", "", "", "", "", "", "", true},
    };
    for (const auto& row : cases) {
        PasswdFileEntry entry = parse_passwd_line(row.line);
        EXPECT_EQ(entry.user, row.user) << row.line;
        EXPECT_EQ(entry.password, row.password) << row.line;
        EXPECT_EQ(entry.uid, row.uid) << row.line;
        EXPECT_EQ(entry.home, row.home) << row.line;
        EXPECT_EQ(entry.extra, row.extra) << row.line;
        EXPECT_EQ(entry.old_mail, row.old_mail) << row.line;
        EXPECT_EQ(entry.has_userdb_info, row.userdb) << row.line;
    }
}

TEST(PasswdFile, NamesABadLineAndKeepsTheOthers) {
    std::string text = "# comment\n\na:1\na:2\nstray:$6$salt$hash`\n";
    text += std::string("nul\0:x\n", 7) + ":nameless\nlast:9\r\nunended:7";
    auto table = PasswdFileTable::parse(text);
    EXPECT_EQ(table->find("a")->password, "1") << "the first of two lines counts";
    EXPECT_EQ(table->find("last")->password, "9");
    EXPECT_EQ(table->find("unended")->password, "7");
    EXPECT_TRUE(table->find("stray"));
    EXPECT_FALSE(table->find("nobody"));
    EXPECT_FALSE(table->find(""));
    std::vector<unsigned> lines;
    for (const auto& problem : table->problems()) lines.push_back(problem.line);
    EXPECT_EQ(lines, (std::vector<unsigned>{4, 5, 6, 7}));
    EXPECT_EQ(table->problems()[0].text, "User a exists more than once");
}

TEST(PasswdFile, DropsLinesOfAUserdbWithoutAUsableUidAndGid) {
    std::string text =
        "good:x:5000:5000\nempty:x::::::\nshort:x\nzero:x:0:5000\nzerogid:x:5000:0\nname:x:daemon:daemon\n"
        "root:x:root:5000\nnosuch:x:no-such-user:5000\nnegative:x:-1:5000\nbig:x:4294967296:1\n"
        "zero:second:5000:5000\n";
    auto table = PasswdFileTable::parse(text, PasswdFileUse::UserDb);
    for (const char* user : {"good", "empty", "short", "name"}) EXPECT_TRUE(table->find(user)) << user;
    for (const char* user : {"zerogid", "root", "nosuch", "negative", "big"}) EXPECT_FALSE(table->find(user)) << user;
    EXPECT_EQ(table->find("zero")->password, "second") << "a dropped line is none of two";
    ASSERT_EQ(table->problem_count(), 6u);
    EXPECT_EQ(table->problems()[0].line, 4u);
    EXPECT_EQ(table->problems()[0].text, "User zero: Invalid UID value '0'");
    EXPECT_TRUE(PasswdFileTable::parse(text)->find("nosuch")) << "a passdb does not look at them";
}

TEST(PasswdFile, SeparatesExtraFieldsByBlanksOnly) {
    EXPECT_EQ(split_passwd_extra("  a=1   b\tc "), (std::vector<std::string_view>{"a=1", "b\tc"}));
    EXPECT_TRUE(split_passwd_extra("").empty());
}

TEST(PasswdFile, FindsEachOfManyUsers) {
    std::string text;
    for (int i = 0; i < 20000; ++i)
        text += "user" + std::to_string(i) + "@example.test:{PLAIN}p" + std::to_string(i) + "\n";
    auto table = PasswdFileTable::parse(text);
    EXPECT_EQ(table->size(), 20000u);
    for (int i = 0; i < 20000; ++i)
        ASSERT_EQ(table->find("user" + std::to_string(i) + "@example.test")->password, "{PLAIN}p" + std::to_string(i));
    int seen = 0;
    table->for_each([&](const PasswdFileEntry&) { ++seen; });
    EXPECT_EQ(seen, 20000);
    EXPECT_TRUE(table->typical_password().starts_with("{PLAIN}"));
}

TEST(PasswdFile, IsReadAgainWhenItChanges) {
    std::string path = testing::TempDir() + "/passwd-file-test." + std::to_string(::getpid());
    std::ofstream(path) << "a:1\n";
    PasswdFile file(path);
    EXPECT_FALSE(file.is_current());
    ASSERT_TRUE(file.table());
    EXPECT_TRUE(file.is_current());
    EXPECT_TRUE((*file.table())->find("a"));
    std::ofstream(path, std::ios::app) << "b:2\n";
    EXPECT_FALSE(file.is_current());
    EXPECT_TRUE((*file.table())->find("b"));
    std::remove(path.c_str());
    auto gone = file.table();
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace culver
