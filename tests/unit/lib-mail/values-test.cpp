// Header values: encoded words, charsets, dates, parameters, transfer encodings, folding for searches.
#include <gtest/gtest.h>

#include "lib-mail/base-subject.h"
#include "lib-mail/calendar.h"
#include "lib-mail/charset.h"
#include "lib-mail/date-header.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/message-ids.h"
#include "lib-mail/message-text.h"
#include "lib-mail/mime-fields.h"
#include "lib-mail/transfer-decoding.h"
#include "lib-mail/unicode-fold.h"

using namespace culver;

TEST(EncodedWords, AreDecodedAndJoined) {
    const std::pair<const char*, const char*> cases[] = {
        {"=?utf-8?q?J=C3=B6rg?=", "Jörg"},
        {"=?utf-8?b?w6TDtg==?= =?utf-8?q?=C3=BC_x?= y", "äöü x y"},
        {"=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"},  // a character cut in two
        {"a =?iso-8859-1?Q?=E4?= b", "a ä b"},
        {"=?utf-8*de?q?x?=", "x"},
        {"=?x-unknown?q?a?=", "=?x-unknown?q?a?="},
        {"=?utf-8?q?unclosed", "=?utf-8?q?unclosed"},
        {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
        {"plain", "plain"},
        {"", ""},
        {"\xff", "\xef\xbf\xbd"},
    };
    for (const auto& [value, decoded] : cases) EXPECT_EQ(decode_encoded_words(value), decoded) << value;
}

TEST(Charset, BadBytesBecomeReplacements) {
    EXPECT_EQ(to_utf8("iso-8859-15", "\xa4"), "€");
    EXPECT_EQ(to_utf8("utf-8",
                      "a\xff"
                      "b"),
              "a\xef\xbf\xbd"
              "b");
    EXPECT_EQ(to_utf8("shift_jis", "\x83\x65"), "テ");
    EXPECT_FALSE(to_utf8("klingon", "x"));
    EXPECT_FALSE(is_known_charset("utf-8//TRANSLIT"));
    EXPECT_FALSE(is_known_charset(std::string("utf-16\0x", 8)));
}

TEST(DateHeader, KnowsRealMail) {
    struct {
        const char* value;
        std::int64_t seconds;
        int zone;
    } cases[] = {{"Mon, 1 Jan 2024 10:00:00 +0200 (EET)", 1704096000, 120},
                 {"1 Jan 2024 10:00 -0730", 1704130200, -450},
                 {"Mon 1 Jan 2024 10:00:00 GMT", 1704103200, 0},
                 {"1 Jan 24 10:00:00 EST", 1704121200, -300},
                 {"Thu, (x) 1 (y) Jan 1970 00:00:00 +0000", 0, 0},
                 {"1 Jan 99 00:00:00 Z", 915148800, 0}};
    for (const auto& c : cases) {
        const auto date = parse_date_header(c.value);
        ASSERT_TRUE(date) << c.value;
        EXPECT_EQ(date->seconds, c.seconds) << c.value;
        EXPECT_EQ(date->zone_minutes, c.zone) << c.value;
    }
    for (auto value :
         {"", "x", "Mon, Jan 2024", "32 Jan 2024 10:00:00", "1 Foo 2024 10:00:00", "1 Jan 2024 25:00:00", "1 Jan 2024"})
        EXPECT_FALSE(parse_date_header(value)) << value;
    EXPECT_EQ(parse_date_header("1 Feb 2020 02:00 +0500")->written_day(), days_from_civil(2020, 2, 1));
}

TEST(TransferDecoding, IsLenient) {
    EXPECT_EQ(decode_quoted_printable("a=3D=\nb \t\nc=20\n=zz=", QuotedPrintable::Body), "a=b\nc \n=zz");
    EXPECT_EQ(decode_base64("aGV s\nbG8=d29ybGQ="), "helloworld");
    EXPECT_EQ(decode_transfer("X-Unknown", "a=3D"), "a=3D");
}

TEST(Parameters, AreDecodedByRfc2231AndRfc2047) {
    MimeFields fields;
    parse_content_type("a/b; name*0*=iso-8859-1''%E4; name*1=\"b c\"; title=\"=?utf-8?q?=C3=B6?=\"; plain=x", fields);
    EXPECT_EQ(decoded_parameter(fields.parameters, "NAME"), "äb c");
    EXPECT_EQ(decoded_parameter(fields.parameters, "title"), "ö");
    EXPECT_EQ(decoded_parameter(fields.parameters, "plain"), "x");
    EXPECT_EQ(decoded_parameter(fields.parameters, "none"), std::nullopt);
}

TEST(UnicodeFold, IgnoresCaseAndKeepsAccentsBehindLetters) {
    EXPECT_EQ(fold_text("Jörg straße"), fold_text("JÖRG STRAßE"));
    EXPECT_EQ(fold_text("ΑΒΓ ПРИВЕТ"), fold_text("αβγ привет"));
    EXPECT_TRUE(fold_text("Jörg").starts_with(fold_text("jo")));
    EXPECT_EQ(fold_text("a😀b\xff"), "A😀B\xff");
}

TEST(HeaderFields, FindValuesInRealHeaders) {
    const std::string header = "Subject : one\r\n two\r\nno colon\r\nX:\r\n y\r\nSUBJECT: other\r\n\r\nBody: x\r\n";
    std::string value;
    EXPECT_TRUE(find_header(header, "subject", value));
    EXPECT_EQ(value, "one two");
    EXPECT_TRUE(find_header(header, "x", value));
    EXPECT_EQ(value, " y");
    EXPECT_FALSE(find_header(header, "Body", value));
    EXPECT_FALSE(find_header(header, "", value));
}

TEST(TextSearch, ReadsWhatAPersonReads) {
    const std::string message =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=DCberm=\n=E4=DFig\n--b\n"
        "Content-Type: application/x\n\nhidden\n--b--\n";
    const MimeStructure structure = MimeStructure::parse(message);
    const auto found = [&](std::string_view needle, TextSearch::Scope scope) {
        return TextSearch(needle).in_message(message, structure, scope);
    };
    EXPECT_TRUE(found("übermäßig", TextSearch::Scope::Body));
    EXPECT_FALSE(found("hidden", TextSearch::Scope::Body));
    EXPECT_FALSE(found("grüße", TextSearch::Scope::Body));
    EXPECT_TRUE(found("grüße", TextSearch::Scope::HeadersAndBody));
    EXPECT_TRUE(found("content-type: application", TextSearch::Scope::HeadersAndBody));
}

TEST(BaseSubject, LosesWhatRepliesAndListsAdd) {
    struct {
        const char* value;
        const char* text;
        bool reply;
    } cases[] = {{"Hello", "HELLO", false},
                 {"Re: Hello", "HELLO", true},
                 {"RE : [list] Fwd: hello (fwd)", "HELLO", true},
                 {"[list] Re: [x] a  b", "A B", true},
                 {"Re[2]: a", "A", true},
                 {"[fwd: Re: a]", "A", true},
                 {"[only]", "[ONLY]", false},
                 {"=?utf-8?q?Re=3A_x?=", "X", true},
                 {"", "", false},
                 {"Re:", "", true},
                 {"Reply: x", "REPLY: X", false},
                 {"[a] b", "B", false}};
    for (const auto& c : cases) {
        const BaseSubject subject = base_subject(c.value);
        EXPECT_EQ(subject.text, c.text) << c.value;
        EXPECT_EQ(subject.is_reply_or_forward, c.reply) << c.value;
    }
    std::string blobs, forwards;
    for (int i = 0; i < 20000; ++i) blobs += "[x] ", forwards += "[fwd:";
    EXPECT_EQ(base_subject(blobs + "y").text, "Y");
    base_subject(forwards + std::string(20000, ']'));
    base_subject(forwards);
}

TEST(MessageIds, AreFoundBetweenEverythingElse) {
    EXPECT_EQ(message_ids("<a@b> x <c.d@e> (<no@no>) <\"q r\"@[1]> <broken <z@y>"),
              (std::vector<std::string>{"a@b", "c.d@e", "q r@[1]", "z@y"}));
    std::string many;
    for (int i = 0; i < 5000; ++i) many += "<a@b>";
    EXPECT_EQ(message_ids(many).size(), kReferenceLimit);
    EXPECT_TRUE(message_ids(std::string(100000, '<')).empty());
}
