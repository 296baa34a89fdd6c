// %variables: what Dovecot 2.3 gives for the same templates and the user alice@example.test.
#include "lib-config/variables.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

UserVariables alice() {
    UserVariables of;
    of.user = "alice@example.test";
    of.home = "/h/example.test/alice";
    of.uid = of.gid = "5000";
    of.service = "imap";
    return of;
}

struct Row {
    const char* text;
    const char* expected;
};

TEST(Variables, GiveWhatDovecotGives) {
    static const Row kRows[] = {
        {"%u|%n|%d|%s|%h|%i", "alice@example.test|alice|example.test|imap|/h/example.test/alice|5000"},
        {"%{user}|%{username}|%{domain}|%{uid}|%{gid}", "alice@example.test|alice|example.test|5000|5000"},
        {"%%", "%"},
        {"a%", "a"},
        {"%L%", "%"},
        {"%2%", "%"},
        {"%L", ""},
        {"%-", ""},
        {"%{user}}", "alice@example.test}"},
        {"%Un", "ALICE"},
        {"%LRu", "tset.elpmaxe@ecila"},
        {"%Dd", "example,dc=test"},
        {"%1n", "a"},
        {"%3n", "ali"},
        {"%.3n", "ali"},
        {"%-3n", "ali"},
        {"%2.3u", "ice"},
        {"%-2.3u", "st"},
        {"%1.1u", "l"},
        {"%2.n", "ice"},
        {"%.n", "alice"},
        {"%10n", "alice"},
        {"%010n", "00000alice"},
        {"%2000n", "alice"},
        {"%0.3n", "ali"},
        {"%05i", "05000"},
        {"%Xi", "1388"},
        {"%08Xi", "00001388"},
        {"%8Xi", "1388"},
        {"%Xn", "0"},
        {"%3{user}", "ali"},
        {"%Hu", "24932a4"},
        {"%Hn", "682f95"},
        {"%16Hu", "4"},
        {"%1.16Hu", "4"},
        {"%2Hu", "0"},
        {"%2.256Nu", "3d"},
        {"%4.256Nu", "003d"},
        {"%NLu", "c8031d3d"},
        {"%8Mu", "2960a687"},
        {"%Mu", "2960a687c8031d3d105b67802b5e130e"},
        {"%{md5:user}", "2960a687c8031d3d105b67802b5e130e"},
        {"%{sha1:user}", "5b3b76e703135ea0bcdb7cb773350e55c1dfa95a"},
        {"%{sha1;truncate=8:user}", "5b"},
        {"%{sha1;truncate=12:user}", "05b3"},
        {"%{sha1;truncate=999:user}", "5b3b76e703135ea0bcdb7cb773350e55c1dfa95a"},
        {"%{sha1;format=base64,truncate=16:user}", "Wzs="},
        {"%4{sha1:user}", "5b3b"},
        {"%{sha1;salt=%d:user}", "dcd63d3e29e5a282e5ad8ff3f1ef709a084c598c"},
        {"%{sha256;rounds=2,salt=ab:user}", "b829c56ee5497106a3e978e4d04f45679d86dbee5d91c3516a42bb74344a0b5c"},
        {"%8{pkcs5;salt=x:user}", "893a7f58"},
        {"%{if;%u;eq;alice@example.test;yes;no}", "yes"},
        {"%{if;1;<;2;a\\;b;no}", "a;b"},
        {"%{if;abc;*;a*;y;n}", "y"},
        {"%{if;abc;!*;b;y;n}", "y"},
        {"%{if;abc;~;^a.c$;y;n}", "y"},
        {"%{if;abc;!~;b;y;n}", "n"},
        {"%{if;abc;lt;b;y;n}", "y"},
        {"%{if;-1;<;2;y;n}", "y"},
        {"%{if;x;eq;y;a}", ""},
        {"%{if;a;eq;a;%u;%d}x", "alice@example.testx"},
        {"%{if;1;==;1;%{sha1:user};n}", "5b3b76e703135ea0bcdb7cb773350e55c1dfa95a"},
        {"%{if;%{if;1;==;1;x;y};eq;x;YES;NO}", "YES"},
        {"postmaster@%{if;%d;ne;;%d;%{hostname}}", "postmaster@example.test"},
        {"%{auth_user}|%{auth_domain}|%{auth_username}", "alice@example.test|example.test|alice"},
        {"%{env:CULVER_NO_SUCH_NAME}", ""},
    };
    for (const auto& row : kRows) {
        auto made = expand_variables(row.text, alice().lookup());
        ASSERT_TRUE(made) << row.text << ": " << made.error().detail;
        EXPECT_EQ(*made, row.expected) << row.text;
    }
}

TEST(Variables, EscapeEachValueOnceAndNeverCutAnEscape) {
    UserVariables of;
    of.user = "a,b@x+y.test";
    auto escape = [](std::string_view value) {
        std::string out;
        for (char c : value) out += c == ',' || c == '+' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        return out;
    };
    static const Row kRows[] = {
        {"cn=%n", "cn=a\\,b"},
        {"%2n,", "a\\,,"},
        {"dc=%Dd", "dc=x\\+y,dc=test"},
        {"dc=%2Dd", "dc=x\\+y,dc=test"},
        {"%{if;1;==;1;%n,;x}", "a\\,b,"},
        {"%1{if;1;==;1;%n;x}", "a\\,b"},
    };
    for (const auto& row : kRows) {
        auto made = expand_variables(row.text, of.lookup(), escape);
        ASSERT_TRUE(made) << row.text;
        EXPECT_EQ(*made, row.expected) << row.text;
    }
}

TEST(Variables, RefuseInDovecotsWords) {
    static const Row kRows[] = {
        {"%z", "Unknown variable '%z'"},
        {"%{nosuch}", "Unknown variable '%nosuch'"},
        {"%H{n}", "Unknown variable '%n'"},
        {"%{L:user}", "Unknown variable '%L'"},
        {"%{user", "Unknown variable '%{'"},
        {"%{}", "Unknown variable '%'"},
        {"%{md5:}", "Unknown variable '%'"},
        {"%{md5:nosuch}", "Unknown variable '%nosuch'"},
        {"%$", "Unknown variable '%$'"},
        {"%L2n", "Unknown variable '%2'"},
        {"% u", "Unknown variable '% '"},
        {"%{user;x}", "Unknown variable '%user;x'"},
        {"%{if}", "if: missing parameter(s)"},
        {"%{if;a;eq;b}", "if: requires four or five parameters, got 3"},
        {"%{if;%u;zz;b;c;d}", "if: Unsupported comparator 'zz'"},
        {"%{if;a;>;2;y;n}", "if: a (lhs) is not a number"},
        {"%{if;10;==;0xa;y;n}", "if: 0xa (rhs) is not a number"},
        {"%{if;abc;~;*a;y;n}", "if: regex failed: Invalid preceding regular expression"},
        {"%{sha1;rounds=0:user}", "Cannot parse hash arguments:rounds must be at least 1"},
        {"%{sha1;rounds=x:user}", "Cannot parse hash arguments:'x' is not number for rounds"},
        {"%{sha1;format=foo:user}", "Cannot parse hash arguments:'foo' is not supported format"},
    };
    for (const auto& row : kRows) {
        auto made = expand_variables(row.text, alice().lookup());
        ASSERT_FALSE(made) << row.text << " gave " << *made;
        EXPECT_EQ(made.error().detail, std::string("Failed to expand ") + row.text + ": " + row.expected);
    }
}

TEST(Variables, WhatAVariableGivesIsNeitherExpandedAgainNorEscapedTwice) {
    auto lookup = [](std::string_view name) -> std::optional<std::string> {
        if (name == "user") return "%d'%{if;1;==;1;x}";
        return std::nullopt;
    };
    auto escape = [](std::string_view value) { return "<" + std::string(value) + ">"; };
    EXPECT_EQ(*expand_variables("a%u", lookup, escape), "a<%d'%{if;1;==;1;x}>");
    EXPECT_EQ(*expand_variables("%{if;1;==;1;b%u;}", lookup, escape), "b<%d'%{if;1;==;1;x}>");
}

TEST(Variables, ACallersOwnLetterComesFirst) {
    auto lookup = [](std::string_view name) -> std::optional<std::string> {
        if (name == "i") return "23";
        if (name == "uid") return "5000";
        if (name == "$") return "text";
        return std::nullopt;
    };
    EXPECT_EQ(*expand_variables("in=%i %$", lookup), "in=23 text");
}

TEST(Variables, WorkIsBounded) {
    auto lookup = [](std::string_view) -> std::optional<std::string> { return std::string(60000, 'x'); };
    EXPECT_FALSE(expand_variables("%u%u", lookup));
    std::string deep = "x";
    for (int i = 0; i < 20; ++i) deep = "%{if;1;==;1;" + deep + ";}";
    EXPECT_FALSE(expand_variables(deep, lookup));
}

}  // namespace
}  // namespace culver
