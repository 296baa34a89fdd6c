#include "lib-auth/settings-file.h"

#include <gtest/gtest.h>

#include "lib-auth/settings-table.h"

namespace culver {
namespace {

TEST(SettingsFile, ReadsAsDovecotReads) {
    struct {
        const char *text, *value;
    } const rows[] = {
        {"k = v", "v"},
        {"  k=v  \r\n", "v"},
        {"k = v # comment", "v"},
        {"k = v#comment", "v"},
        {"# k = x\nk = v", "v"},
        {"k = \"v # w\" # c", "v # w"},
        {"k = 'v # w' # c", "v # w"},
        {"k = a \"b # c\" d", "a \"b # c\" d"},
        {"k = it's # c", "it's"},
        {"k = \"a \\\" \\\\ b\"", "a \" \\ b"},
        {"k = a\\\n  b", "a b"},
        {"k = a \\\n# comment\n\n  b", "a  b"},
        {"k = a # c \\\n", "a"},
        {"k = a\\", "a"},
        {"k = x\nk = v", "v"},
        {"k =", ""},
        {"k = a = b", "a = b"},
        {"foo {\n k = v\n}", "v"},
    };
    for (const auto& row : rows) {
        auto file = parse_settings_file(row.text, "f");
        ASSERT_FALSE(file.settings.empty()) << row.text;
        EXPECT_EQ(file.settings.back().key, "k") << row.text;
        EXPECT_EQ(file.settings.back().value, row.value) << row.text;
        EXPECT_TRUE(file.problems.empty()) << file.problems[0];
    }
}

TEST(SettingsFile, IncludesOtherFilesAndNamesTheirLines) {
    auto read = [](const std::string& path) -> Result<std::string> {
        if (path == "/etc/inc") return "a = 1\nb = 2\n!include /etc/inc\n";
        return fail(ErrorCode::NotFound, path + ": No such file");
    };
    auto file = parse_settings_file("!include inc\n!include_try gone\n!include gone\nnothing\n", "/etc/main", read);
    ASSERT_GE(file.settings.size(), 2u);
    EXPECT_EQ(file.settings[1].file, "/etc/inc");
    EXPECT_EQ(file.settings[1].line, 2u);
    ASSERT_EQ(file.problems.size(), 3u);
    EXPECT_EQ(file.problems[1], "/etc/main:3: /etc/gone: No such file");
    EXPECT_EQ(file.problems[2], "/etc/main:4: Expecting '=': nothing");
}

// One variable of each kind, with what it is when the file says nothing.
struct Sample {
    std::string text = "t";
    SecretString secret;
    std::vector<std::string> words;
    bool flag = false;
    int number = 7, choice = 7;
    std::uint32_t count = 7;
    std::chrono::milliseconds time{7};

    Status read(std::string_view file, const std::function<void(SettingsReader&)>& check = nullptr) {
        static constexpr SettingWord kWords[] = {{"", 0}, {"one", 1}, {"two", 2}};
        const SettingRow table[] = {
            {"text", &text},     {"secret", &secret}, {"words", &words}, {"flag", &flag},
            {"number", &number}, {"count", &count},   {"time", &time},   {"choice", SettingChoice{&choice, kWords}},
        };
        SettingsReader reader(file, "f");
        reader.read(table);
        if (check) check(reader);
        return reader.finish();
    }
};

TEST(SettingsTable, GivesEachKindOfVariableItsValue) {
    Sample all;
    ASSERT_TRUE(
        all.read("text = a b\nsecret = s\nwords = a  b\nflag = YES\nnumber = -1\ncount = 4294967295\n"
                 "time = 500\nchoice = Two\n"));
    EXPECT_EQ(all.text, "a b");
    EXPECT_TRUE(all.secret.equals("s"));
    EXPECT_EQ(all.words, (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(all.flag);
    EXPECT_EQ(all.number, -1);
    EXPECT_EQ(all.count, 4294967295u);
    EXPECT_EQ(all.time.count(), 500);
    EXPECT_EQ(all.choice, 2);

    Sample none;
    ASSERT_TRUE(none.read(""));
    EXPECT_EQ(none.text + std::to_string(none.number + none.choice), "t14");

    Sample twice;
    ASSERT_TRUE(twice.read("text = a\nwords = a\nchoice = one\ntext = b\nwords = b\nchoice =\n"));
    EXPECT_EQ(twice.text, "b");
    EXPECT_EQ(twice.words, std::vector<std::string>{"b"});
    EXPECT_EQ(twice.choice, 0);
}

TEST(SettingsTable, SaysWhatToWriteInstead) {
    struct {
        const char *line, *problem;
    } const rows[] = {
        {"flag = true", "f:1: Invalid boolean: true (write flag = yes or no)"},
        {"number = -2", "f:1: Invalid number: -2 (write number = a number up to 2147483647)"},
        {"number = 2147483648", "f:1: Invalid number: 2147483648 (write number = a number up to 2147483647)"},
        {"count = -1", "f:1: Invalid number: -1 (write count = a number up to 4294967295)"},
        {"time = 1s", "f:1: Invalid number: 1s (write time = a number up to 4294967295)"},
        {"choice = three", "f:1: Unknown choice value 'three' (write one of one, two)"},
        {"txet = x", "f:1: Unknown setting: txet (did you mean text?)"},
        {"zzzzzz = x", "f:1: Unknown setting: zzzzzz"},
        {"text", "f:1: Expecting '=': text"},
    };
    for (const auto& row : rows) {
        Status read = Sample().read(row.line);
        ASSERT_FALSE(read) << row.line;
        EXPECT_EQ(read.error().detail, row.problem);
    }
}

TEST(SettingsTable, NamesEveryProblemAtOnceWithTheLineThatCounts) {
    Status read = Sample().read("text = a\nflag = x\ntext = b\n", [](SettingsReader& reader) {
        reader.problem("text", "b is no text");
        reader.problem("words", "words is missing");
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(read.error().detail,
              "f:2: Invalid boolean: x (write flag = yes or no); f:3: b is no text; f: words is missing");

    std::string rubbish;
    for (int i = 0; i < 1000; ++i) rubbish += "x = y\n";
    read = Sample().read(rubbish);
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().detail.ends_with("f:50: Unknown setting: x; and more")) << read.error().detail;
}

}  // namespace
}  // namespace culver
