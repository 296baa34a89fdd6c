#include "lib-imap/parser.h"

#include <gtest/gtest.h>

using namespace culver;
using namespace std::string_literals;

namespace {

std::string generic_error(std::string_view text) {
    Parser in(text);
    return in.ok() ? "" : in.error().text;
}

}  // namespace

TEST(Parser, SaysWhatIsWrongWithALineInDovecotsWords) {
    const std::pair<std::string, std::string> cases[] = {
        {" (x", "Missing ')'"},
        {" \"x", "Missing '\"'"},
        {" INBOX)", "Unexpected ')'"},
        {" )", "Unexpected ')'"},
        {" a\"b", "Invalid characters in atom"},
        {" a(b)", "Invalid characters in atom"},
        {" a{b", "Invalid characters in atom"},
        {" a\x80", "8bit data in atom"},
        {" a\rb", "Invalid characters in atom"},
        {" \"a\rb\"", "Missing '\"'"},
        {" \"a\0b\""s, "NULs not allowed in strings"},
        {" \"a\\"s, "Missing '\"'"},
        {" \"a\\\0b\""s, "NULs not allowed in strings"},
        {" a\0b"s, "Invalid characters in atom"},
        {" {3}\r\na\0b"s, "NULs not allowed in literals"},
        {" {99999999999999999999}\r\n", "Invalid literal size"},
        {" {-1}\r\nx", "Invalid literal size"},
        {" {5}\r\nabc", "Literal is cut off"},
        {" {5", "Missing '}'"},
        {" {1}x", "Missing LF after literal size"},
        {" a%b*c\\d", ""},
        {" \"a\"(b)c", ""},
        {"", ""},
    };
    for (const auto& [text, error] : cases) EXPECT_EQ(generic_error(text), error) << text;
}

TEST(Parser, NestsToALimitWithoutRecursion) {
    EXPECT_EQ(generic_error(" " + std::string(50, '(') + std::string(50, ')')), "");
    EXPECT_EQ(generic_error(" " + std::string(60000, '(')), "Too many nested lists");
}

TEST(Parser, KeepsItsFirstErrorAndMovesNoFurther) {
    Parser in(" a b");
    in.space().number();
    in.space().sequence_set();
    in.end();
    ASSERT_FALSE(in.ok());
    EXPECT_EQ(in.error().text, "Invalid arguments");
    EXPECT_FALSE(in.more());
}

TEST(Parser, ReadsEachKindOfString) {
    Parser in(" atom \"quo\\\"ted\\\\\" {7}\r\nlit\"(\r\n {3+}\r\nabc NIL nil \"NIL\" \"\" {0}\r\n");
    EXPECT_EQ(in.space().astring(), "atom");
    EXPECT_EQ(in.space().astring(), "quo\"ted\\");
    EXPECT_EQ(in.space().astring(), "lit\"(\r\n");
    EXPECT_EQ(in.space().string(), "abc");
    EXPECT_EQ(in.space().astring(), "NIL");
    EXPECT_EQ(in.space().nstring(), std::nullopt);
    EXPECT_EQ(in.space().nstring(), "NIL");
    EXPECT_EQ(in.space().nstring(), "");
    EXPECT_EQ(in.space().astring(), "");
    in.end();
    EXPECT_TRUE(in.ok());
}

TEST(Parser, RefusesBinaryLiteralsWhereTextIsMeant) {
    Parser in(" ~{5}\r\nINBOX");
    in.space().mailbox();
    EXPECT_EQ(in.error().text, "literal8 not allowed here");
}

TEST(Parser, DecodesMailboxNames) {
    Parser in(" inBox \"&AOQ-/x\" inbox/a &bad");
    EXPECT_EQ(in.mailbox(), "INBOX");
    EXPECT_EQ(in.mailbox(), "ä/x");
    EXPECT_EQ(in.mailbox(), "inbox/a");
    EXPECT_EQ(in.mailbox(), "");
    EXPECT_EQ(in.error().kind, ParseError::Kind::No);
    EXPECT_EQ(in.error().text, "Mailbox name is not valid mUTF-7");
}

TEST(Parser, ReadsListsInLoops) {
    Parser in(" (a \"b\" (c) d) e");
    std::string seen;
    in.open_list();
    while (in.more()) {
        if (in.next_is_list()) {
            in.skip();
            seen += "list ";
        } else {
            seen += in.astring() + " ";
        }
    }
    in.close_list();
    EXPECT_EQ(in.space().keyword(), "E");
    in.end();
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(seen, "a b list d ");
}

TEST(Parser, NumbersAreStrict) {
    for (std::string text : {"4294967296", "-1", "+1", "1x", "\"1\"", "()", ""}) {
        text.insert(0, " ");  // the parser refers to it
        Parser in(text);
        in.number();
        EXPECT_FALSE(in.ok()) << text;
    }
    Parser in(" 4294967295 0 9223372036854775807 9223372036854775808");
    EXPECT_EQ(in.number(), 4294967295u);
    EXPECT_EQ(in.number(), 0u);
    EXPECT_EQ(in.number64(), 9223372036854775807u);
    in.number64();
    EXPECT_FALSE(in.ok());
}

TEST(Parser, ReadsFlagsWithAndWithoutParentheses) {
    Parser in(" (\\Seen \\DELETED $Label1 Foo foo) x");
    const FlagList flags = in.flags();
    EXPECT_EQ(flags.system, 8 | 4);
    EXPECT_EQ(flags.keywords, (std::vector<std::string>{"$Label1", "Foo"}));
    EXPECT_EQ(in.atom(), "x");

    Parser bare(" \\Answered \\Draft");
    EXPECT_EQ(bare.flags().system, 1 | 16);
    bare.end();
    EXPECT_TRUE(bare.ok());

    const std::pair<const char*, const char*> wrong[] = {{" (\\Foo)", "Invalid system flag \\FOO"},
                                                         {" (\\Recent)", "Invalid system flag \\RECENT"},
                                                         {" (\"]x\")", "Flags list contains non-atoms"},
                                                         {" (a]b)", "Invalid characters in keyword"}};
    for (const auto& [text, error] : wrong) {
        Parser bad(text);
        bad.flags();
        EXPECT_EQ(bad.error().text, error);
    }
}

TEST(Parser, ReadsDates) {
    Parser in(" 1-Feb-1994 \"01-feb-1994\" \" 1-Jan-1970 00:00:01 +0000\" \"17-Jul-1996 02:44:25 -0700\"");
    EXPECT_EQ(in.date("x").days(), in.date("x").days());
    EXPECT_EQ(in.date_time(), 1);
    EXPECT_EQ(in.date_time(), 837596665);
    EXPECT_TRUE(in.ok());
    for (std::string text :
         {"32-Jan-2020", "30-Feb-2020", "1-Foo-2020", "1-Jan-20", "1-Jan-20200", "1 Jan 2020", "", "-"}) {
        text = " \"" + text + "\"";
        Parser bad(text);
        bad.date("Invalid search date parameter");
        EXPECT_EQ(bad.error().text, "Invalid search date parameter") << text;
    }
    for (std::string text : {"17-Jul-1996 02:44:25", "17-Jul-1996 24:44:25 -0700", "17-Jul-1996 02:44:25 0700", "x",
                             "17-Jul-1996 02:44:25 -07:0", " "}) {
        text = " \"" + text + "\"";
        Parser bad(text);
        bad.date_time();
        EXPECT_EQ(bad.error().text, "Invalid internal date") << text;
    }
}

TEST(Parser, SeesTheHeadOfAStreamedLiteral) {
    for (std::string text : {" INBOX (\\Seen) {310}", " INBOX (\\Seen) {310}\r\n"}) {
        Parser in(text);
        EXPECT_EQ(in.space().mailbox(), "INBOX");
        EXPECT_EQ(in.space().flags().system, 8);
        const LiteralHeader header = in.space().literal_header();
        EXPECT_EQ(header.size, 310u);
        EXPECT_TRUE(header.synchronising);
        in.end();
        EXPECT_TRUE(in.ok());
    }
    Parser in(" ~{12+}");
    const LiteralHeader header = in.literal_header();
    EXPECT_TRUE(header.binary);
    EXPECT_FALSE(header.synchronising);
    EXPECT_EQ(header.size, 12u);
}

TEST(CommandHead, SplitsTagNameAndArguments) {
    CommandHead head = split_command("a1 uid  fetch 1 FLAGS");
    EXPECT_EQ(head.error, "Invalid command name");
    head = split_command("a1 uid fetch 1 FLAGS");
    EXPECT_EQ(head.name, "UID FETCH");
    EXPECT_EQ(head.tag, "a1");
    EXPECT_EQ(head.arguments, " 1 FLAGS");
    EXPECT_EQ(split_command("x noop").name, "NOOP");
    for (std::string_view line : {"zz", "n  NOOP", "n UID", "n ", "n a\"b"}) {
        EXPECT_EQ(split_command(line).error, "Invalid command name") << line;
        EXPECT_TRUE(split_command(line).tag_is_valid);
    }
    for (std::string_view line :
         {std::string_view(""), std::string_view("* NOOP"), std::string_view("+ NOOP"), std::string_view("a(b NOOP"),
          std::string_view("a\0 NOOP", 7), std::string_view(" x")})
        EXPECT_EQ(split_command(line).error, "Invalid tag") << line;
}
