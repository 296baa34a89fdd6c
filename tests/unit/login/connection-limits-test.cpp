#include "login/core/connection-limits.h"

#include <gtest/gtest.h>

#include <vector>

namespace culver {
namespace {

// Only the addresses of clients count here.
LoginClient& client(int number) {
    static std::vector<std::uint64_t> places(5000);
    return *reinterpret_cast<LoginClient*>(&places[static_cast<std::size_t>(number)]);
}
IpAddress address(int number) {
    return *IpAddress::parse("10.0." + std::to_string(number / 250) + "." + std::to_string(number % 250));
}

TEST(ConnectionLimits, AnAddressWithTooManyLosesItsOwnOldest) {
    ConnectionLimits limits({.per_address = 3, .total = 100});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limits.add(client(i), address(1)), nullptr);
    EXPECT_EQ(limits.add(client(10), address(2)), nullptr);
    EXPECT_EQ(limits.add(client(3), address(1)), &client(0));
    limits.remove(client(0));
    EXPECT_EQ(limits.add(client(4), address(1)), &client(1));
}

TEST(ConnectionLimits, WhenAllAreTooManyTheOldestOfAllGoes) {
    ConnectionLimits limits({.per_address = 5, .total = 10});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(limits.add(client(i), address(i)), nullptr) << i;
    EXPECT_EQ(limits.add(client(10), address(10)), &client(0));
}

TEST(ConnectionLimits, TheLastTenthIsForAddressesThatHaveNone) {
    ConnectionLimits limits({.per_address = 5, .total = 10});
    for (int i = 0; i < 9; ++i) EXPECT_EQ(limits.add(client(i), address(i)), nullptr) << i;
    EXPECT_EQ(limits.add(client(9), address(3)), &client(3)) << "it has one already";
    limits.remove(client(3));
    EXPECT_EQ(limits.add(client(10), address(20)), nullptr) << "a new address gets the reserve";
}

TEST(ConnectionLimits, ATrustedAddressHasNoLimitOfItsOwnButLeavesTheReserve) {
    ConnectionLimits limits({.per_address = 2, .total = 10});
    for (int i = 0; i < 9; ++i)
        EXPECT_EQ(limits.add(client(i), address(1), ConnectionLimits::Source::Trusted), nullptr) << i;
    EXPECT_EQ(limits.add(client(9), address(1), ConnectionLimits::Source::Trusted), &client(0));
}

TEST(ConnectionLimits, WhoLeavesMakesRoomAndLeavesNothingBehind) {
    ConnectionLimits limits({.per_address = 1, .total = 10});
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(limits.add(client(i), address(i)), nullptr);
        limits.remove(client(i));
    }
    EXPECT_EQ(limits.size(), 0u);
    limits.remove(client(1));
}

}  // namespace
}  // namespace culver
