#include "lib-base/nearest-name.h"

#include <gtest/gtest.h>

#include <string>

using namespace culver;

TEST(NearestName, FindsWhatWasMeantAndDoesNotGuess) {
    constexpr std::string_view kNames[] = {"driver", "connect", "password_query", "user_query"};
    struct {
        std::string_view wrong, near;
    } const cases[] = {
        {"drivre", "driver"},        {"diver", "driver"}, {"pasword_query", "password_query"}, {"connect", "connect"},
        {"userquery", "user_query"}, {"host", ""},        {"password_iteration", ""},          {"", ""},
    };
    for (const auto& row : cases) EXPECT_EQ(nearest_name(row.wrong, kNames), row.near) << row.wrong;
    EXPECT_EQ(nearest_name(std::string(1000, 'a'), kNames), "");
    EXPECT_EQ(nearest_name("driver", {}), "");
}
