#include <gtest/gtest.h>

#include "login/core/login-settings.h"

namespace culver {
namespace {

TEST(LocalName, AStarStandsForOneLabel) {
    EXPECT_TRUE(local_name_matches("imap.example.test", "imap.example.test"));
    EXPECT_TRUE(local_name_matches("*.example.test", "imap.example.test"));
    EXPECT_TRUE(local_name_matches("a.test *.b.test", "x.b.test"));
    EXPECT_FALSE(local_name_matches("*.example.test", "a.b.example.test"));
    EXPECT_FALSE(local_name_matches("*.example.test", "example.test"));
    EXPECT_FALSE(local_name_matches("example.test", "evil-example.test"));
    EXPECT_FALSE(local_name_matches("", "x"));
}

}  // namespace
}  // namespace culver
