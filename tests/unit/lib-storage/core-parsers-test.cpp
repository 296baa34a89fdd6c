#include <gtest/gtest.h>

#include "lib-storage/index/crc32c.h"
#include "lib-storage/mailbox/uid-runs.h"
#include "lib-storage/maildir/file-name.h"
#include "lib-storage/maildir/uidlist.h"

namespace culver {
namespace {

TEST(FileName, FlagsAreReadInAnyOrderAndWrittenInAscii) {
    struct Case {
        const char *name, *base, *written;
        bool canonical;
    };
    const Case cases[] = {
        {"1.M2P3.h,S=4,W=5:2,FSab", "1.M2P3.h,S=4,W=5", ":2,FSab", true},
        {"1.a", "1.a", ":2,", true},
        {"1.a:2,", "1.a", ":2,", true},
        {"1.a:2,SRF", "1.a", ":2,FRS", false},
        {"1.a:2,SS", "1.a", ":2,S", false},
        {"1.a:1,x", "1.a", ":2,", false},
        {"1.a:2,SP", "1.a", ":2,PS", false},
        {"1.a:2,S,x=1", "1.a", ":2,S,x=1", false},
    };
    for (const Case& c : cases) {
        auto parsed = parse_file_name(c.name);
        ASSERT_TRUE(parsed) << c.name;
        EXPECT_EQ(parsed->base, c.base) << c.name;
        EXPECT_EQ(parsed->canonical, c.canonical) << c.name;
        EXPECT_EQ(format_info(parsed->flags, parsed->info), c.written) << c.name;
    }
    for (const char* bad : {"", ".", ".hidden", ":2,S"}) EXPECT_FALSE(parse_file_name(bad)) << bad;
    EXPECT_FALSE(parse_file_name(std::string(256, 'x')));
}

TEST(FileName, SizesAreTakenFromTheName) {
    EXPECT_EQ(size_in_name("1.a,S=12,W=34"), 12U);
    EXPECT_EQ(virtual_size_in_name("1.a,S=12,W=34"), 34U);
    EXPECT_FALSE(size_in_name("1.a"));
    EXPECT_FALSE(size_in_name("1.a,S=x"));
    EXPECT_FALSE(size_in_name("1.a,S=99999999999999999999999"));
}

TEST(FileName, FlagsGoToTheNameAndBackWithoutTouchingHigherKeywords) {
    KeywordSet keywords;
    keywords.set(0).set(25).set(26).set(100);
    FileFlags flags = to_file_flags(kSeen | kDraft, keywords);
    EXPECT_EQ(format_info(flags), ":2,DSaz");
    MessageFlags back = from_file_flags(flags & ~file_keyword_bit(0), keywords);
    EXPECT_EQ(back.system, kSeen | kDraft);
    keywords.reset(0);
    EXPECT_EQ(back.keywords, keywords);
}

TEST(Uidlist, TheNextUidIsNeverStale) {
    auto list = parse_uidlist("3 V7 N2 Xother G00112233445566778899aabbccddeeff\n1 :a\n5 Gx W9 :b,S=1\n9 :torn");
    ASSERT_TRUE(list);
    EXPECT_EQ(list->uid_validity, 7U);
    EXPECT_EQ(list->next_uid, 6U);
    EXPECT_EQ(list->guid, "00112233445566778899aabbccddeeff");
    EXPECT_EQ(list->other_fields, " Xother");
    ASSERT_EQ(list->entries.size(), 2U);
    EXPECT_EQ(list->entries[1].fields, "Gx W9");
    EXPECT_EQ(uidlist_field(list->entries[1].fields, 'W'), "9");
    EXPECT_EQ(list->entries[1].name, "b,S=1");
}

TEST(Uidlist, BrokenLinesAreSkippedAndBrokenHeadersRefused) {
    auto list = parse_uidlist("3 V7 N2\n1 :a\nrubbish\n1 :again\n0 :zero\n4294967295 :end\n3 :../x\n4 :d\n");
    ASSERT_TRUE(list);
    EXPECT_EQ(list->entries.size(), 2U);
    EXPECT_EQ(list->broken_lines, 5U);
    EXPECT_TRUE(list->needs_rewrite);
    for (const char* bad : {"", "3", "3 V0 N1\n", "3 N1\n", "2 V1 N1\n", "x\n", "3 V99999999999 N1\n"})
        EXPECT_FALSE(parse_uidlist(bad)) << bad;
}

TEST(Crc32c, MatchesThePublishedVector) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283U);
}

TEST(UidRuns, NumbersFollowRemovals) {
    UidRuns runs;
    for (std::uint32_t uid : {1, 2, 3, 7, 8, 20}) runs.append(uid);
    EXPECT_EQ(runs.runs().size(), 3U);
    EXPECT_EQ(runs.uid_at(4), 7U);
    EXPECT_EQ(runs.seq_of(20), 6U);
    EXPECT_FALSE(runs.seq_of(5));
    std::vector<Seq> seqs;
    runs.remove({{2}, {5}, {7}, {20}, {99}}, seqs);
    EXPECT_EQ(seqs, (std::vector<Seq>{{2}, {3}, {4}}));
    EXPECT_EQ(runs.count(), 3U);
    EXPECT_EQ(runs.uid_at(3), 8U);
    runs.append(21);
    EXPECT_EQ(runs.seq_of(21), 4U);
}

}  // namespace
}  // namespace culver
