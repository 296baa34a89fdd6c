#include <gtest/gtest.h>

#include "lib-imap/list-pattern.h"
#include "lib-imap/sequence-set.h"
#include "lib-imap/writer.h"

using namespace culver;

TEST(SequenceSet, MergesSortsAndPrints) {
    const std::pair<const char*, const char*> cases[] = {{"1", "1"},
                                                         {"3,1,2", "1:3"},
                                                         {"5:1", "1:5"},
                                                         {"1:3,2:9,11", "1:9,11"},
                                                         {"*", "*"},
                                                         {"*:5", "5:*"},
                                                         {"1,7:*,9:*", "1,7:*"},
                                                         {"4294967295", "4294967295"},
                                                         {"1:4294967295", "1:4294967295"}};
    for (const auto& [text, printed] : cases) {
        const auto set = SequenceSet::parse(text);
        ASSERT_TRUE(set) << text;
        EXPECT_EQ(set->to_string(), printed);
    }
    for (auto text : {"", "0", "1,", ",1", "1:", ":1", "1:2:3", "a", "1 2", "4294967296", "18446744073709551617", "+1",
                      "1,,2", "**", "0:5", "-1"})
        EXPECT_FALSE(SequenceSet::parse(text)) << text;
}

TEST(SequenceSet, StarMeansTheLargest) {
    EXPECT_EQ(SequenceSet::parse("5:*")->resolve(9).to_string(), "5:9");
    EXPECT_EQ(SequenceSet::parse("5:*")->resolve(3).to_string(), "3:5");
    EXPECT_EQ(SequenceSet::parse("*")->resolve(3).to_string(), "3");
    EXPECT_EQ(SequenceSet::parse("1,*")->resolve(2).to_string(), "1:2");
    EXPECT_TRUE(SequenceSet::parse("1:*")->resolve(0).empty());
    EXPECT_TRUE(SequenceSet::parse("2:4,8")->contains(3));
    EXPECT_FALSE(SequenceSet::parse("2:4,8")->contains(5));
    EXPECT_EQ(SequenceSet::parse("2:4,8")->count(), 4u);
}

TEST(SequenceSet, LimitsRangesAfterMerging) {
    std::string many, merging;
    for (int i = 1; i <= 10001; ++i)
        many += (i > 1 ? "," : "") + std::to_string(i * 2), merging += (i > 1 ? "," : "") + std::to_string(i);
    EXPECT_FALSE(SequenceSet::parse(many));
    EXPECT_EQ(SequenceSet::parse(merging)->to_string(), "1:10001");
}

TEST(SequenceSet, GrowsInAnyOrder) {
    SequenceSet set;
    for (std::uint32_t number : {5u, 6u, 9u, 1u, 7u, 8u, 1u}) set.add(number);
    EXPECT_EQ(set.to_string(), "1,5:9");
    const std::uint32_t numbers[] = {3, 4, 9, 1};
    EXPECT_EQ(SequenceSet::of(numbers).to_string(), "1,3:4,9");
}

TEST(ListPattern, MatchesAsLayersOfNames) {
    struct {
        const char* pattern;
        const char* name;
        ListMatch match;
    } cases[] = {
        {"*", "a/b", ListMatch::Yes},
        {"%", "a", ListMatch::Yes},
        {"%", "a/b", ListMatch::Parent},
        {"a/%", "a", ListMatch::Children},
        {"a/%", "a/b", ListMatch::Yes},
        {"a/%", "a/b/c", ListMatch::Parent},
        {"a*", "a", ListMatch::Yes},
        {"a*", "b", ListMatch::No},
        {"inbox", "INBOX", ListMatch::Yes},
        {"inbox/x", "INBOX/x", ListMatch::Yes},
        {"inboxa", "INBOXA", ListMatch::No},
        {"%/b", "a", ListMatch::Children},
        {"*b", "a", ListMatch::Children},
        {"*%*%*", "a/b/c", ListMatch::Yes},
        {"%b%/c", "abb/c", ListMatch::Yes},
        {"", "a", ListMatch::No},
        {"", "", ListMatch::Yes},
        {"a/", "a", ListMatch::No},
        {"a%c", "a/c", ListMatch::No},
        {"a*c%e", "abc/cde", ListMatch::Yes},
        {"a", "a/b", ListMatch::Parent},
    };
    for (const auto& c : cases)
        EXPECT_EQ(match_list_pattern(c.pattern, c.name, '/'), c.match) << c.pattern << ' ' << c.name;
}

TEST(ListPattern, BombsCostNothing) {
    std::string bomb, stars;
    for (int i = 0; i < 10000; ++i) bomb += "a*", stars += "*%";
    const std::string name(1000, 'a');
    for (int i = 0; i < 100; ++i) {
        EXPECT_NE(match_list_pattern(bomb, name, '/'), ListMatch::Yes);
        EXPECT_EQ(match_list_pattern(stars + "b", name, '/'), ListMatch::Children);
    }
}

TEST(Writer, SpellsWordsAsDovecotDoes) {
    std::string out;
    Writer(out)
        .astring("INBOX")
        .text(" ")
        .astring("x*y")
        .text(" ")
        .astring("nil")
        .text(" ")
        .astring("")
        .text(" ")
        .astring("a b");
    EXPECT_EQ(out, "INBOX \"x*y\" \"nil\" \"\" \"a b\"");
    out.clear();
    Writer(out)
        .string("a\"b")
        .text(" ")
        .string("é")
        .text(" ")
        .nstring(std::nullopt)
        .text(" ")
        .nstring("")
        .text(" ")
        .quoted("a\"\\\r");
    EXPECT_EQ(out, "\"a\\\"b\" {2}\r\né NIL \"\" \"a\\\"\\\\ \"");
    out.clear();
    append_string(out, "\"\"\\\"\"");
    append_human_string(out, "a b");
    append_human_string(out, " a \t\"b\" ");
    append_human_string(out, "");
    append_human_string(out, " ");
    EXPECT_EQ(out, "{5}\r\n\"\"\\\"\"\"a b\"{5}\r\na \"b\"\"\"\"\"");
    out.clear();
    append_date_time(out, 1704103200, 120);
    EXPECT_EQ(out, "\"01-Jan-2024 12:00:00 +0200\"");
    out.clear();
    append_date_time(out, -1, -570);
    EXPECT_EQ(out, "\"31-Dec-1969 14:29:59 -0930\"");
    out.clear();
    append_system_flags(out, 31);
    EXPECT_EQ(out, "\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    out.clear();
    Writer(out).mailbox("Entwürfe").end_line();
    EXPECT_EQ(out, "Entw&APw-rfe\r\n");
}
