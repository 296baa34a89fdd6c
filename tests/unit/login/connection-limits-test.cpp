#include "login/core/connection-limits.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace culver {
namespace {

using Source = ConnectionLimits::Source;

// Only the addresses of clients count here.
LoginClient& client(int number) {
    static std::vector<std::uint64_t> places(100'000);
    return *reinterpret_cast<LoginClient*>(&places[static_cast<std::size_t>(number)]);
}
// An address in a network of its own.
IpAddress address(int network, int host = 1) {
    return *IpAddress::parse("10." + std::to_string(network / 250) + "." + std::to_string(network % 250) + "." +
                             std::to_string(host));
}

// A door whose clock goes by hand; clients are numbers, and whoever has to go is gone at once.
class Door {
public:
    explicit Door(LimitOptions options) : limits_(options) {}

    // "in", "refused", or the number of the one who had to go.
    std::string come(int number, const IpAddress& from, Source source = Source::Stranger) {
        if (limits_.refuses(from, source, now_)) return "refused";
        LoginClient* victim = limits_.add(client(number), from, source, now_);
        if (!victim) return "in";
        limits_.remove(*victim);
        for (int i = 0; i <= number; ++i)
            if (&client(i) == victim) return std::to_string(i);
        return "somebody";
    }
    void fill(int from, int to) {
        for (int i = from; i < to; ++i) ASSERT_EQ(come(i, address(i)), "in") << i;
    }
    void ask(int number) { limits_.note_asking(client(number), now_); }
    void wait(int number) { limits_.note_waiting(client(number), now_); }
    void fail(int number) { limits_.note_failure(client(number), now_); }
    void succeed(int number) { limits_.note_success(client(number), now_); }
    void leave(int number) { limits_.remove(client(number)); }
    // Somebody logs in from there.
    void know(const IpAddress& from) {
        constexpr int kUser = 99'999;
        ASSERT_EQ(come(kUser, from), "in");
        succeed(kUser);
    }
    void pass(std::chrono::seconds time) { now_ += time; }
    ConnectionLimits& limits() { return limits_; }

private:
    ConnectionLimits limits_;
    ConnectionLimits::Clock::time_point now_{std::chrono::hours(1000)};
};

TEST(ConnectionLimits, AnAddressWithTooManyLosesItsOwnOldest) {
    Door door({.per_address = 3, .total = 100});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(door.come(i, address(1)), "in");
    EXPECT_EQ(door.come(10, address(1, 2)), "in") << "a neighbour";
    EXPECT_EQ(door.come(3, address(1)), "0");
    EXPECT_EQ(door.come(4, address(1)), "1");
}

TEST(ConnectionLimits, AnAddressWithTooManyKeepsTheLoginThatIsUnderWay) {
    Door door({.per_address = 3, .total = 100});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(door.come(i, address(1)), "in");
    door.ask(0);
    EXPECT_EQ(door.come(3, address(1)), "1");
}

TEST(ConnectionLimits, AKnownAddressMayHaveMore) {
    Door door({.per_address = 2, .per_known_address = 4, .total = 100});
    door.know(address(1));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(door.come(i, address(1)), "in") << i;
    EXPECT_EQ(door.come(4, address(1)), "0");
}

TEST(ConnectionLimits, TheAddressesOfAnIpv6NetworkCountTogether) {
    Door door({.per_address = 2, .total = 100});
    EXPECT_EQ(door.come(0, *IpAddress::parse("2001:db8:1:2::1")), "in");
    EXPECT_EQ(door.come(1, *IpAddress::parse("2001:db8:1:2::2")), "in");
    EXPECT_EQ(door.come(2, *IpAddress::parse("2001:db8:1:3::1")), "in");
    EXPECT_EQ(door.come(3, *IpAddress::parse("2001:db8:1:2:ffff::")), "0");
}

TEST(ConnectionLimits, ATrustedAddressHasNoLimitOfItsOwn) {
    Door door({.per_address = 2, .total = 100});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(door.come(i, address(1), Source::Trusted), "in") << i;
}

TEST(ConnectionLimits, WhoHasFailedGoesBeforeTheSilentAndThoseBeforeWhoIsAsking) {
    Door door({.total = 8});
    door.fill(0, 8);
    door.ask(0);
    door.ask(1);
    for (int i : {4, 3}) door.ask(i), door.fail(i);
    EXPECT_EQ(door.come(10, address(10)), "3") << "the one that has been here longest, not the first to fail";
    EXPECT_EQ(door.come(11, address(11)), "4");
    EXPECT_EQ(door.come(12, address(12)), "2") << "the oldest of the silent ones";
}

TEST(ConnectionLimits, EachKindIsLeftAQuarterOfThePlaces) {
    struct Case {
        const char* what;
        int asking, known, known_asking;  // of eight; the others are silent strangers
        std::string stranger_displaces;
    };
    const Case cases[] = {
        {"silent ones alone", 0, 0, 0, "0"},
        {"silent ones beyond their quarter", 5, 0, 0, "5"},
        {"logins under way have all places", 8, 0, 0, "0"},
        {"the known ones have all places", 0, 8, 0, "0"},
        {"the known ones have all, most of them asking", 0, 2, 6, "2"},
    };
    for (const Case& c : cases) {
        Door door({.total = 8});
        int next = 0;
        for (int i = 0; i < c.asking; ++i, ++next) door.come(next, address(next)), door.ask(next);
        for (int i = 0; i < c.known + c.known_asking; ++i, ++next) {
            door.come(next, address(next), Source::Trusted);
            if (i >= c.known) door.ask(next);
        }
        for (; next < 8; ++next) door.come(next, address(next));
        EXPECT_EQ(door.come(10, address(100)), c.stranger_displaces) << c.what;
    }
}

TEST(ConnectionLimits, AFloodOfLoginsDoesNotPushOutWhoIsAboutToSendHis) {
    Door door({.total = 100});
    int next = 0;
    for (; next < 100; ++next) door.come(next, address(next)), door.ask(next);
    const int user = next++;
    EXPECT_NE(door.come(user, address(5000)), "refused");
    for (int i = 0; i < 25; ++i, ++next) {
        EXPECT_NE(door.come(next, address(next)), std::to_string(user)) << i;
        door.ask(next);
    }
    door.ask(user);
    for (int i = 0; i < 24; ++i, ++next)
        EXPECT_NE(door.come(next, address(next)), std::to_string(user)) << "silent ones, " << i;
}

TEST(ConnectionLimits, SilentOnesFromEverywhereDoNotPushOutALoginUnderWay) {
    Door door({.total = 100});
    EXPECT_EQ(door.come(0, address(0)), "in");
    door.ask(0);
    for (int i = 1; i < 5000; ++i) EXPECT_NE(door.come(i, address(i)), "0") << i;
}

TEST(ConnectionLimits, KnownNetworksOutlastAFloodFromEverywhere) {
    for (bool floods_ask : {false, true}) {
        Door door({.total = 100});
        door.know(address(5000));
        EXPECT_EQ(door.come(0, address(5000, 7)), "in") << "another address of the network";
        for (int i = 1; i < 4000; ++i) {
            EXPECT_NE(door.come(i, address(i)), "0") << i;
            if (floods_ask) door.ask(i);
        }
        door.ask(0);
        for (int i = 4000; i < 4999; ++i) EXPECT_NE(door.come(i, address(i)), "0") << i;
    }
}

TEST(ConnectionLimits, WhoFailedIsRefusedWhileItIsFullAndTakesNobodysPlace) {
    Door door({.total = 10});
    door.fill(0, 10);
    for (int i = 0; i < 10; ++i) door.ask(i), door.fail(i);
    EXPECT_EQ(door.come(20, address(3, 77)), "refused") << "another address of a network that failed";
    EXPECT_EQ(door.come(20, address(3), Source::Trusted), "0") << "the trusted are never suspect";
    EXPECT_EQ(door.come(21, address(500)), "1") << "a network that has done nothing";
    door.leave(5);
    EXPECT_EQ(door.come(22, address(3, 77)), "in") << "there is room";
}

TEST(ConnectionLimits, WhoWasSentAwayIsRefusedForAWhileThoughHeComesBackAgainAndAgain) {
    Door door({.total = 10, .sent_away_time = std::chrono::seconds(15)});
    door.fill(0, 10);
    EXPECT_EQ(door.come(10, address(10)), "0");
    for (int second = 0; second < 15; ++second) {
        EXPECT_EQ(door.come(11, address(0)), "refused") << second;
        door.pass(std::chrono::seconds(1));
    }
    door.pass(std::chrono::seconds(15));
    EXPECT_EQ(door.come(11, address(0)), "1") << "it is forgotten";
}

TEST(ConnectionLimits, AFailureIsForgotten) {
    Door door({.total = 10, .failed_time = std::chrono::seconds(60)});
    door.fill(0, 10);
    door.fail(4);
    door.pass(std::chrono::seconds(59));
    EXPECT_EQ(door.come(10, address(4)), "refused");
    door.pass(std::chrono::seconds(61));
    EXPECT_EQ(door.come(10, address(4)), "4")
        << "it comes in for the one that has failed itself, which is not forgotten";
}

TEST(ConnectionLimits, AGoodLoginMakesUpForFailures) {
    Door door({.total = 10});
    door.fill(0, 10);
    door.fail(4);
    EXPECT_EQ(door.come(10, address(4)), "refused");
    door.ask(4);
    door.succeed(4);
    EXPECT_EQ(door.come(10, address(4)), "in");
    EXPECT_EQ(door.come(11, address(4)), "0");
    door.fail(11);
    EXPECT_EQ(door.come(12, address(4)), "1") << "a typing error of a user does not make his network suspect";
}

TEST(ConnectionLimits, AKnownNetworksPrivilegeEnds) {
    Door door({.per_known_address = 1000, .total = 100, .good_time = std::chrono::hours(1)});
    door.know(address(5000));
    // It is for a twentieth of the places, and not for who has failed.
    for (int i = 0; i < 7; ++i) EXPECT_EQ(door.come(i, address(5000)), "in");
    door.fail(0);
    door.fill(100, 193);
    EXPECT_EQ(door.come(200, address(200)), "0");
    EXPECT_EQ(door.come(201, address(201)), "5");
    EXPECT_EQ(door.come(202, address(202)), "6");
    EXPECT_EQ(door.come(203, address(203)), "100") << "the other five are known";
    door.pass(std::chrono::hours(2));
    for (int i = 1; i < 5; ++i) door.wait(i);
    EXPECT_EQ(door.come(204, address(204)), "1") << "it was long ago";
}

TEST(ConnectionLimits, OnePlacesHeirTakesOverItsAgeAndPast) {
    Door door({.total = 4});
    door.fill(0, 4);
    door.limits().replace(client(0), client(50));
    door.fail(3);
    door.limits().replace(client(3), client(53));
    EXPECT_EQ(door.limits().size(), 4u);
    EXPECT_EQ(door.come(60, address(60)), "53") << "STARTTLS does not wash a failure away";
    EXPECT_EQ(door.come(61, address(61)), "50") << "nor does it make younger";
    door.limits().replace(client(0), client(70));
    EXPECT_EQ(door.limits().size(), 4u) << "somebody who is not there has no heir";
}

TEST(ConnectionLimits, WhoLeavesMakesRoomAndLeavesNothingBehind) {
    Door door({.per_address = 1, .total = 10});
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(door.come(i, address(i)), "in");
        door.ask(i);
        if (i % 3 == 0) door.fail(i);
        door.leave(i);
    }
    EXPECT_EQ(door.limits().size(), 0u);
    for (int number : {1, 2}) {  // who is not there changes nothing
        door.leave(number);
        door.ask(number);
        door.wait(number);
        door.fail(number);
        door.succeed(number);
    }
    EXPECT_EQ(door.limits().size(), 0u);
}

// What happened once: guessers that come back as soon as they are cut off, and a user among them.
TEST(ConnectionLimits, AChurnOfGuessersDisturbsNobody) {
    Door door({});
    std::deque<int> guessers;
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(door.come(i, address(i)), "in");
        door.ask(i);
    }
    for (int i = 0; i < 900; ++i) door.fail(i);
    int next = 2000;
    for (int login = 0; login < 50; ++login) {
        const int user = next++;
        const IpAddress from = address(login % 2 ? 5000 : 6000 + login);  // one that is known after the first time
        ASSERT_NE(door.come(user, from), "refused") << login;
        for (int i = 0; i < 200; ++i) {  // those who were cut off are back, and others want in as well
            const int guesser = i * 7 % 1000;
            ASSERT_NE(door.come(next++, address(guesser, 9)), std::to_string(user)) << login;
            if (i == 50) door.ask(user);
        }
        door.succeed(user);
    }
    EXPECT_LE(door.limits().size(), 1000u);
}

TEST(RecentNetworks, AreRememberedForOnePeriodAtLeastAndTwoAtMost) {
    using namespace std::chrono_literals;
    const ConnectionLimits::Clock::time_point start{1000h};
    for (auto offset : {0s, 1s, 30s, 59s, 60s, 61s, 119s, 120s, 200s}) {
        RecentNetworks networks(100, 60s);
        networks.insert(1, start);
        const auto inserted = start + offset;
        networks.insert(2, inserted);
        for (int second = 0; second < 200; ++second) {
            if (second % 7 == 0) networks.insert(100, inserted + std::chrono::seconds(second));
            const bool found = networks.contains(2, inserted + std::chrono::seconds(second));
            EXPECT_TRUE(found || second >= 60) << offset.count() << ' ' << second;
            EXPECT_FALSE(found && second >= 120) << offset.count() << ' ' << second;
        }
    }
}

TEST(RecentNetworks, AreBounded) {
    const ConnectionLimits::Clock::time_point start{std::chrono::hours(1000)};
    RecentNetworks networks(100, std::chrono::seconds(60));
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        networks.insert(i, start);
        ASSERT_LE(networks.size(), 100u);
        ASSERT_TRUE(networks.contains(i, start));
        ASSERT_TRUE(i < 50 || networks.contains(i - 49, start)) << "the latest half is there";
    }
    networks.erase(9999);
    EXPECT_FALSE(networks.contains(9999, start));
}

}  // namespace
}  // namespace culver
