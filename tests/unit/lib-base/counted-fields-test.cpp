#include "lib-base/counted-fields.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

TEST(CountedFields, ComeBackAsTheyWerePutWhateverBytesTheyHave) {
    const std::string odd("a:b\n\0c", 6);
    std::string bytes;
    put_field(bytes, odd);
    put_field(bytes, "");
    put_field(bytes, 18446744073709551615U);
    bytes += "behind";
    FieldReader in(bytes);
    EXPECT_EQ(in.next(), odd);
    EXPECT_EQ(in.next(), "");
    EXPECT_EQ(in.number(), 18446744073709551615U);
    EXPECT_TRUE(in.more());
    EXPECT_EQ(in.rest(), "behind");
    EXPECT_TRUE(in.ok());
}

TEST(CountedFields, AnErrorStaysAndEverythingBehindItIsEmpty) {
    for (const char* bad : {"", "5", "5:abcd", ":a", "-1:a", "1 :a", "4294967296:a", "00000000000001:a", "x:a"}) {
        FieldReader in(bad);
        EXPECT_EQ(in.next(), "") << bad;
        EXPECT_FALSE(in.ok()) << bad;
        EXPECT_FALSE(in.more()) << bad;
        EXPECT_EQ(in.number(), 0u) << bad;
    }
    FieldReader no_number("1:x1:7");
    EXPECT_EQ(no_number.number(), 0u);
    EXPECT_FALSE(no_number.ok());
}

}  // namespace
}  // namespace culver
