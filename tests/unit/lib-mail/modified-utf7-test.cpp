#include "lib-mail/modified-utf7.h"

#include <gtest/gtest.h>

using namespace culver;

namespace {
struct Pair {
    const char* utf8;
    const char* mutf7;
};
}  // namespace

TEST(ModifiedUtf7, NamesGoBothWays) {
    constexpr Pair kPairs[] = {
        {"INBOX", "INBOX"},
        {"\xc3\xa4 x", "&AOQ- x"},
        {"a&b", "a&-b"},
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"\xf0\x9f\x98\x80", "&2D3eAA-"},
        {"\xc3\xa4\xc3\xb6\xc3\xbc", "&AOQA9gD8-"},
        {"\xe2\x82\xac\x01", "&IKwAAQ-"},
        {"", ""},
    };
    for (const Pair& pair : kPairs) {
        EXPECT_EQ(modified_utf7_encode(pair.utf8), pair.mutf7);
        EXPECT_EQ(modified_utf7_decode(pair.mutf7), pair.utf8);
    }
}

TEST(ModifiedUtf7, WhatNoEncoderWritesIsRefused) {
    for (const char* name : {"&", "&AOQ", "&AO-", "&AOQA-", "&AOR-", "&AGE-", "&ACY-", "\xc3\xa4", "a\tb", "&AOQ-&AOQ-",
                             "&2D0-", "&3gA-", "&2D0AQQ-", "&AO/-", "&=-", "&A-"})
        EXPECT_FALSE(modified_utf7_decode(name)) << name;
    EXPECT_FALSE(modified_utf7_encode("\xff"));
}
