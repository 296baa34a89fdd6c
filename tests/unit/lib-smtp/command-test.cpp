#include "lib-smtp/command.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

TEST(CommandLine, SplitsVerbAndArguments) {
    auto command = parse_command_line("mail FROM:<a@b>  ");
    ASSERT_TRUE(command);
    EXPECT_EQ(command->verb, SmtpVerb::Mail);
    EXPECT_EQ(command->arguments, "FROM:<a@b>");
    EXPECT_EQ(parse_command_line("")->verb, SmtpVerb::Unknown);
    EXPECT_EQ(parse_command_line(" NOOP")->verb, SmtpVerb::Unknown);
}

TEST(CommandLine, RefusesWhatIsNoText) {
    for (std::string line :
         {"NOOP \xc3", "NOOP \xe2\x82", "VRFY \xf0\x9f", "EHLO x\xc3", "FO1", "NOOP\rNOOP", "NOOP a\x7f", "LHLO\tx"})
        EXPECT_FALSE(parse_command_line(line)) << line;
    EXPECT_FALSE(parse_command_line(std::string("NOOP \0", 6)));
    EXPECT_TRUE(parse_command_line("MAIL FROM:<\xc3\xbc@b>"));
}

TEST(Path, IsReadAsDovecotReadsIt) {
    struct {
        const char *text, *address;
    } cases[] = {
        {"<a@b>", "a@b"},
        {"<>", ""},
        {"<@a,@b:x@y>", "x@y"},
        {"<x>", "x"},
        {"<\"a b\"@c>", "\"a b\"@c"},
        {"<\"\"@x>", "\"\"@x"},
        {"<\"alice\"@x>", "alice@x"},
        {"<a@[127.0.0.1]>", "a@[127.0.0.1]"},
        {"<a@[IPv6:::1]>", "a@[IPv6:::1]"},
        {"<.a..b@c..d>", ".a..b@c..d"},
        {"<a@>", "a"},
        {"<\"q\\\"u\\\\\"@x>", "\"q\\\"u\\\\\"@x"},
        {"<\xc3\xbc@\xc3\xa4>", "\xc3\xbc@\xc3\xa4"},
    };
    for (auto& c : cases) {
        auto path = parse_path(c.text, NullPath::Allowed, 1024);
        ASSERT_TRUE(path) << c.text << ": " << path.error();
        EXPECT_EQ(path->address.to_string(), c.address);
    }
}

TEST(Path, ErrorsAreDovecots) {
    struct {
        std::string text, error;
    } cases[] = {
        {"", "Path is empty string"},
        {" <a@b>", "Unexpected whitespace before path"},
        {"a@b", "Missing '<' at beginning of path"},
        {"<a@b", "Missing '>' at end of path"},
        {"<noangle", "Missing '>' at end of path"},
        {"<a b@c>", "Invalid character in localpart"},
        {"<a@b>x", "Invalid character in path"},
        {"<@b>", "Missing ':' at end of source route"},
        {"<", "Missing '>' at end of path"},
        {"<\"", "Missing '\"' at end of quoted string in localpart"},
        {"<\"\\", "Missing '\"' at end of quoted string in localpart"},
        {"<a@[1.2.3.4>", "Missing ']' at end of address literal"},
        {"<a@[1.2 3.4]>", "Invalid character in address literal"},
        {"<a@b(c)>", "Invalid character in domain"},
        {"<" + std::string(1100, 'a') + "@b>", "Path is too long"},
    };
    for (auto& c : cases) {
        auto path = parse_path(c.text, NullPath::Allowed, 1024);
        ASSERT_FALSE(path) << c.text;
        EXPECT_EQ(path.error(), c.error) << c.text;
    }
    EXPECT_EQ(parse_path("<>", NullPath::Refused, 1024).error(), "Null path not allowed");
}

TEST(MailParameters, AllOfSizeBodyUtf8AndDsn) {
    auto mail = parse_mail("FROM:<a@b> SIZE=100 BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B1", {});
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->size, 100u);
    EXPECT_EQ(mail->body, SmtpBody::EightBitMime);
    EXPECT_TRUE(mail->utf8);
    EXPECT_EQ(mail->ret, "HDRS");
    EXPECT_EQ(mail->envelope_id, "QQ+1");
}

TEST(MailParameters, AreRefusedWithTheirReason) {
    struct {
        const char* arguments;
        unsigned code;
        const char* text;
    } cases[] = {
        {"", 501, "5.5.4 Invalid parameters"},
        {"TO:<a@b>", 501, "5.5.4 Invalid parameters"},
        {"FROM:<a@b> FOO=1", 555, "5.5.4 Unsupported parameters"},
        {"FROM:<a@b> BODY=BINARYMIME", 555, "5.5.4 Unsupported mail BODY type"},
        {"FROM:<a@b> BODY", 501, "5.5.4 Missing BODY= parameter value"},
        {"FROM:<a@b> =x", 501, "5.5.4 Invalid MAIL parameter: Unexpected character in parameter keyword"},
        {"FROM:<a@b> BODY=7BIT BODY=7BIT", 501, "5.5.4 Duplicate BODY= parameter"},
        {"FROM:<a@b> SIZE=99999999999999999999", 501, "5.5.4 Invalid SIZE= parameter value"},
        {"FROM:<a@b> SIZE=-1", 501, "5.5.4 Invalid SIZE= parameter value"},
        {"FROM:<a@b> RET=ALL", 501, "5.5.4 Invalid RET= parameter value"},
        {"FROM:<a@b> ENVID=+2", 501, "5.5.4 Invalid ENVID= parameter value"},
        {"FROM:<a@b> SMTPUTF8=1", 501, "5.5.4 Invalid SMTPUTF8= parameter value"},
    };
    for (auto& c : cases) {
        auto mail = parse_mail(c.arguments, {});
        ASSERT_FALSE(mail) << c.arguments;
        EXPECT_EQ(mail.error().code, c.code) << c.arguments;
        EXPECT_EQ(mail.error().text, c.text) << c.arguments;
    }
}

TEST(RcptParameters, NotifyAndOrcpt) {
    auto rcpt = parse_rcpt("TO:<a@b> NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+40example.org", {});
    ASSERT_TRUE(rcpt);
    EXPECT_TRUE(rcpt->notify_success && rcpt->notify_delay && !rcpt->notify_failure && !rcpt->notify_never);
    EXPECT_EQ(rcpt->original_recipient, "Bob@example.org");
    for (const char* bad :
         {"TO:<a@b> NOTIFY=NEVER,SUCCESS", "TO:<a@b> NOTIFY=", "TO:<a@b> ORCPT=x", "TO:<a@b> ORCPT=;x",
          "TO:<a@b> ORCPT=rfc822;a+0Ab", "TO:<a@b> ORCPT=rfc822;a+FF", "TO:<a@b> SIZE=1", "FROM:<a@b>"})
        EXPECT_FALSE(parse_rcpt(bad, {})) << bad;
}

TEST(Bdat, SizesAreStrict) {
    EXPECT_EQ(parse_bdat("22")->size, 22u);
    EXPECT_TRUE(parse_bdat("0 last")->last);
    for (const char* bad : {"", "x", "-1", "1 2", "1 LAST x", "18446744073709551616"})
        EXPECT_FALSE(parse_bdat(bad)) << bad;
}

TEST(Detail, IsCutAtTheFirstOfManyDelimiters) {
    EXPECT_EQ(split_detail("alice+work-x", "+-").user, "alice");
    EXPECT_EQ(split_detail("alice+work-x", "+-").detail, "work-x");
    EXPECT_EQ(split_detail("+x", "+").user, "");
    EXPECT_FALSE(split_detail("alice", "+").has_detail);
    EXPECT_EQ(split_detail("alice+x", "").user, "alice+x");
}

TEST(Reply, NothingFromTheClientForgesALine) {
    std::string out;
    SmtpReply{550, "5.1.1 <a\r\rb\x1b> no\nlast"}.append_to(out);
    EXPECT_EQ(out, "550-5.1.1 <a??b?> no\r\n550 last\r\n");
}

}  // namespace
}  // namespace culver
