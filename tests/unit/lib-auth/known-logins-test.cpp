#include "lib-auth/known-logins.h"

#include <gtest/gtest.h>

#include "lib-auth/client-network.h"

namespace culver {
namespace {

TEST(KeyedHash, MatchesTheReferenceOfSipHash) {
    // https://github.com/veorq/SipHash: key 00 01 .. 0f, input 00 01 02 ..
    KeyedHash hash(0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull);
    std::string input;
    for (char c = 0; c < 15; ++c) input += c;
    EXPECT_EQ(hash(input), 0xa129ca6149be45e5ull);
    EXPECT_EQ(hash(""), 0x726fdb47dd0e0e31ull);
    EXPECT_NE(KeyedHash()(input), KeyedHash()(input)) << "each has a key of its own";
}

TEST(ClientNetwork, IsTheHalfOfAnIpv6AddressAndThreeQuartersOfAnIpv4Address) {
    EXPECT_EQ(client_network("192.0.2.1"), client_network("192.0.2.200"));
    EXPECT_NE(client_network("192.0.2.1"), client_network("192.0.3.1"));
    EXPECT_EQ(client_network("2001:db8:1:2::1"), client_network("2001:db8:1:2:ffff::9"));
    EXPECT_NE(client_network("2001:db8:1:2::1"), client_network("2001:db8:1:3::1"));
    EXPECT_EQ(client_network("::ffff:192.0.2.1"), client_network("192.0.2.1"));
    EXPECT_EQ(client_network(""), "");
    EXPECT_EQ(client_network("rubbish"), "");
    EXPECT_EQ(client_network_name(*IpAddress::parse("192.0.2.77")), "192.0.2.0/24");
    EXPECT_EQ(client_network_name(*IpAddress::parse("2001:db8:1:2:3::4")), "2001:db8:1:2::/64");
}

TEST(KnownLogins, RemembersAUserByHisNetwork) {
    KnownLogins known;
    EXPECT_FALSE(known.contains("192.0.2.1", "alice"));
    known.remember("192.0.2.1", "alice");
    EXPECT_TRUE(known.contains("192.0.2.77", "alice"));
    EXPECT_FALSE(known.contains("192.0.3.1", "alice"));
    EXPECT_FALSE(known.contains("192.0.2.1", "bob"));
    known.remember("", "carol");
    EXPECT_TRUE(known.contains("", "carol"));
    EXPECT_FALSE(known.contains("192.0.2.1", "carol"));
}

TEST(KnownLogins, ForgetsTheLongestUnseenOnes) {
    KnownLogins known(1000);
    known.remember("192.0.2.1", "first");
    for (int i = 0; i < 5000; ++i) {
        known.remember("192.0.2.1", "user" + std::to_string(i));
        ASSERT_LE(known.size(), 1000u);
    }
    EXPECT_FALSE(known.contains("192.0.2.1", "first"));
    EXPECT_TRUE(known.contains("192.0.2.1", "user4999"));
}

}  // namespace
}  // namespace culver
