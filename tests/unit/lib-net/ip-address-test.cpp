#include "lib-net/ip-address.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

TEST(IpAddress, TextThatIsAnAddressComesOutInItsCanonicalForm) {
    const std::pair<const char*, const char*> cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
    };
    for (auto [in, out] : cases) {
        auto address = IpAddress::parse(in);
        ASSERT_TRUE(address) << in;
        EXPECT_EQ(address->to_string(), out);
    }
}

TEST(IpAddress, AnythingElseIsNothing) {
    using namespace std::string_view_literals;
    for (auto text :
         {""sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "localhost"sv, "[::1]"sv, "1.2.3.4 "sv, "1.2.3.4\0x"sv,
          "::1%lo"sv, "1:2:3:4:5:6:7:8:9"sv, "01234567890123456789012345678901234567890123456789"sv})
        EXPECT_FALSE(IpAddress::parse(text)) << text;
}

TEST(IpAddress, AMappedAddressEqualsItsIpv4Form) {
    EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1"), IpAddress::parse("10.0.0.1"));
    EXPECT_EQ(IpAddress::parse("10.0.0.1")->bytes().size(), 4u);
}

TEST(IpNetwork, ContainsWhatSharesItsPrefix) {
    struct {
        const char *network, *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"192.0.2.128/25", "192.0.2.200", true},
        {"192.0.2.128/25", "192.0.2.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"::1", "::1", true},
        {"::/0", "10.0.0.1", false},
    };
    for (const auto& c : cases) {
        auto network = IpNetwork::parse(c.network);
        ASSERT_TRUE(network) << c.network;
        EXPECT_EQ(network->contains(*IpAddress::parse(c.address)), c.inside) << c.network << " " << c.address;
    }
}

TEST(IpNetwork, AWrongLengthIsRefused) {
    for (auto text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::1/129", "10.0.0.0/8/8", "/8"})
        EXPECT_FALSE(IpNetwork::parse(text)) << text;
}

TEST(IpNetwork, AListIsSeparatedByBlanksOrCommasAndNamesItsBadWords) {
    std::vector<std::string> bad;
    auto networks = parse_networks(" 10.0.0.0/8, 127.0.0.1 ,,nonsense fe80::/10", &bad);
    EXPECT_EQ(networks.size(), 3u);
    EXPECT_EQ(bad, std::vector<std::string>{"nonsense"});
}

}  // namespace
}  // namespace culver
