#include "lib-base/text.h"

#include <gtest/gtest.h>

using namespace culver;

TEST(Text, NumbersAreDigitsOnlyAndNeverWrap) {
    EXPECT_EQ(parse_uint32("4294967295"), 4294967295u);
    for (auto text : {"", "+1", "-1", " 1", "1 ", "4294967296", "18446744073709551617", "0x1", "1,"})
        EXPECT_FALSE(parse_uint32(text)) << text;
}

TEST(Text, Base64IsStrict) {
    EXPECT_EQ(base64_decode("AGJvYgBzZWNyZXQ="), std::string("\0bob\0secret", 11));
    for (auto text : {"A", "AA", "AAA", "A===", "AA=A", "A\tAA", "AAAA\n", "!!!!"})
        EXPECT_FALSE(base64_decode(text)) << text;
    for (std::string bytes : {"", "a", "ab", "abc", "abcd"}) EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

TEST(Text, TabEscapingIsReversible) {
    const std::string odd("\001\t\r\n\0x", 6);
    EXPECT_EQ(tab_escape(odd), "\0011\001t\001r\001n\0010x");
    EXPECT_EQ(tab_unescape(tab_escape(odd)), odd);
}

TEST(Text, Utf8RefusesOverlongSurrogateAndTruncated) {
    EXPECT_TRUE(is_valid_utf8("p\xc3\xa4sswort \xe2\x82\xac \xf0\x9f\x98\x80"));
    for (auto text : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff", "\x80"})
        EXPECT_FALSE(is_valid_utf8(text)) << text;
}

TEST(Text, ConstantTimeComparisonSeesContentAndLength) {
    EXPECT_TRUE(equals_constant_time("secret", "secret"));
    EXPECT_FALSE(equals_constant_time("secret", "secreT"));
    EXPECT_FALSE(equals_constant_time("secret", "secretsecret"));
    EXPECT_FALSE(equals_constant_time("x", ""));
    EXPECT_TRUE(equals_constant_time("", ""));
}
