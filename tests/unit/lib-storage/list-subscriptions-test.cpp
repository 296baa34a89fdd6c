#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "lib-storage/list/subscriptions.h"
#include "lib-storage/list/uid-validity.h"

using namespace culver;

namespace {
using Names = std::set<FolderPath, std::less<>>;
}

TEST(Subscriptions, BothVersionsOfDovecotAreRead) {
    const Names expected = {"A\tB\tC", "INBOX", "X Y", "\xc3\xa4"};
    EXPECT_EQ(parse_subscriptions("V\t2\n\nA\tB\tC\nX Y\n&AOQ-\nINBOX\n", '.'), expected);
    EXPECT_EQ(parse_subscriptions("A.B.C\nX Y\r\n&AOQ-\ninbox", '.'), expected);
}

TEST(Subscriptions, RubbishIsSkipped) {
    EXPECT_EQ(parse_subscriptions("V\t2\n\n\n\x01\nok\n\xc3\xa4 raw\n", '.'), (Names{"ok", "\xc3\xa4 raw"}));
    EXPECT_EQ(parse_subscriptions(std::string("a\0b\nc\n", 6), '.'), Names{"c"});
    EXPECT_TRUE(parse_subscriptions("", '.').empty());
}

TEST(Subscriptions, WhatIsWrittenIsDovecotsVersion2) {
    const Names names = {"A\tB", "\xc3\xa4", "a&b"};
    EXPECT_EQ(format_subscriptions(names), "V\t2\n\nA\tB\na&-b\n&AOQ-\n");
    EXPECT_EQ(parse_subscriptions(format_subscriptions(names), '.'), names);
}

TEST(UidValidity, EachNumberIsLargerThanAllBefore) {
    char name[] = "/tmp/culver-uidvalidity-XXXXXX";
    ASSERT_TRUE(::mkdtemp(name));
    const std::string root = name;
    const auto first = next_uid_validity(root, 0600);
    const auto second = next_uid_validity(root, 0600);
    ASSERT_TRUE(first && second);
    EXPECT_GT(*second, *first);
    // The file is lost, or says less than the name beside it: the larger one counts.
    std::ofstream(root + "/dovecot-uidvalidity") << "00000001";
    const auto third = next_uid_validity(root, 0600);
    ASSERT_TRUE(third);
    EXPECT_GT(*third, *second);
    // Dovecot from the future.
    std::filesystem::remove(root + "/dovecot-uidvalidity");
    std::ofstream(root + "/dovecot-uidvalidity.f0000000");
    EXPECT_EQ(*next_uid_validity(root, 0600), 0xf0000001u);
    std::filesystem::remove_all(root);
}
