#include "lib-storage/list/list-pattern.h"

#include <gtest/gtest.h>

#include <chrono>

using namespace culver;

namespace {
struct Case {
    const char* pattern;
    const char* name;
    bool matches;
};
}  // namespace

TEST(ListPattern, WildcardsMatchAsRfc9051Says) {
    constexpr Case kCases[] = {
        {"*", "a/b/c", true},
        {"*", "", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"%/%", "a/b/c", false},
        {"a*c", "a/b/c", true},
        {"a%c", "a/b/c", false},
        {"a%c", "abc", true},
        {"*b", "a/b", true},
        {"%b", "a/b", false},
        {"*%b", "a/xb", true},
        {"%*", "a/b", true},
        {"a/%", "a/", true},
        {"a/%", "a", false},
        {"inbox", "INBOX", true},
        {"iNbOx/x", "INBOX/x", true},
        {"inbox/X", "INBOX/x", false},
        {"inboxes", "INBOXES", false},
        {"", "", true},
        {"", "a", false},
        {"%.%", "a.b", true},
        {"a**b", "a/x/b", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxaxx", false},
        {"in*", "INBOX", true},
        {"%X", "INBOX", true},
    };
    for (const Case& one : kCases)
        EXPECT_EQ(ListPattern(one.pattern, '/').matches(one.name), one.matches) << one.pattern << " " << one.name;
}

TEST(ListPattern, ManyWildcardsCostNoMoreThanTheirLength) {
    std::string pattern;
    for (int i = 0; i < 300; ++i) pattern += "*a";
    pattern += "b";
    const std::string name(900, 'a');
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(ListPattern(pattern, '/').matches(name));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(ListPattern, LiteralPrefixEndsAtTheFirstWildcard) {
    EXPECT_EQ(ListPattern("Hid.%", '.').literal_prefix(), "Hid.");
    EXPECT_EQ(ListPattern("Hid", '.').literal_prefix(), "Hid");
}
