#include "login/imap/prelogin-command.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

using Name = PreloginCommand::Name;
constexpr char kError[] = "Error in IMAP command received by server.";

TEST(PreloginCommand, EachCommandIsKnownInAnyCase) {
    const std::pair<const char*, Name> cases[] = {
        {"a CAPABILITY", Name::Capability},
        {"a noop", Name::Noop},
        {"a Logout", Name::Logout},
        {"a STARTTLS", Name::StartTls},
        {"a id nil", Name::Id},
        {"a ID (\"name\" \"x\")", Name::Id},
        {"a login u p", Name::Login},
        {"a authenticate plain", Name::Authenticate},
        {"a NOOP extra words", Name::Noop},
    };
    for (auto [line, name] : cases) EXPECT_EQ(parse_prelogin_command(line).name, name) << line;
}

TEST(PreloginCommand, LoginTakesAtomsQuotedStringsAndLiterals) {
    auto command = parse_prelogin_command("a1 LOGIN {3}\r\nbob \"se\\\"cret\"");
    ASSERT_EQ(command.name, Name::Login);
    EXPECT_EQ(command.tag, "a1");
    EXPECT_EQ(command.user, "bob");
    EXPECT_EQ(command.password, "se\"cret");
    EXPECT_EQ(parse_prelogin_command("a LOGIN bob {6+}\r\nsec\tre").password, "sec\tre");
}

TEST(PreloginCommand, AuthenticateKeepsItsResponseAsItCame) {
    auto command = parse_prelogin_command("a authenticate plain AGJvYgBzZWNyZXQ=");
    ASSERT_EQ(command.name, Name::Authenticate);
    EXPECT_EQ(command.mechanism, "PLAIN");
    EXPECT_EQ(command.initial_response, "AGJvYgBzZWNyZXQ=");
    EXPECT_EQ(parse_prelogin_command("a authenticate login").initial_response, std::nullopt);
    EXPECT_EQ(parse_prelogin_command("a authenticate plain =").initial_response, "=");
}

TEST(PreloginCommand, WhatIsWrongIsToldWithoutDetail) {
    using namespace std::string_view_literals;
    const std::pair<std::string_view, const char*> cases[] = {
        {"a"sv, kError},         {"a SELECT INBOX"sv, kError}, {"a LOGIN"sv, kError},
        {"a LOGIN x"sv, kError}, {"a LOGIN x y z"sv, kError},  {"a LOGIN (x) y"sv, kError},
        {""sv, kError},          {"* NOOP"sv, kError},         {"a AUTHENTICATE"sv, kError},
        {"a ID"sv, kError},      {"a ID foo"sv, kError},       {"a LOGIN \"x"sv, "Missing '\"'"},
    };
    for (auto [line, error] : cases) {
        auto command = parse_prelogin_command(line);
        EXPECT_EQ(command.name, Name::Invalid) << line;
        EXPECT_EQ(command.error, error) << line;
    }
}

TEST(PreloginCommand, ANulIsRefusedWhereverItStands) {
    using namespace std::string_literals;
    for (const std::string& line :
         {"a LOGIN bo\0b secret"s, "a LOGIN bob \"sec\0ret\""s, "a LOGIN bob {7}\r\nsecret\0"s, "a\0 NOOP"s})
        EXPECT_EQ(parse_prelogin_command(line).name, Name::Invalid);
}

TEST(PreloginCommand, IdIsBounded) {
    std::string pairs = "a ID (";
    for (int i = 0; i < 1000; ++i) pairs += "\"k\" \"v\" ";
    EXPECT_EQ(parse_prelogin_command(pairs + ")").name, Name::Invalid);
    EXPECT_EQ(parse_prelogin_command("a ID (\"k\" \"" + std::string(2000, 'v') + "\")").name, Name::Invalid);
    EXPECT_EQ(parse_prelogin_command("a ID (\"k\" \"" + std::string(1000, 'v') + "\")").name, Name::Id);
    EXPECT_EQ(parse_prelogin_command("a ID ((((\"k\" \"v\"))))").name, Name::Invalid);
}

}  // namespace
}  // namespace culver
