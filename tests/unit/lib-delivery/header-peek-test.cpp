#include "lib-delivery/header-peek.h"

#include <gtest/gtest.h>

#include "lib-delivery/deliver-log.h"

namespace culver {
namespace {

TEST(HeaderPeek, FindsFoldedFieldsInAnyCaseAndStopsAtTheBody) {
    auto peek = peek_header(
        "message-id:\r\n <a@b>\r\nSubject: one\r\n\ttwo\r\nFROM: A <a@x>\r\nSubject: second\r\n\r\nMessage-ID: <no>\r\n");
    EXPECT_EQ(peek.message_id, "<a@b>");
    EXPECT_EQ(peek.subject, "one two");
    EXPECT_EQ(peek.from, "A <a@x>");
    EXPECT_EQ(peek_header("\nMessage-ID: <no>\n").message_id, "");
}

TEST(HeaderPeek, OddInputGivesNothingOrLittle) {
    for (std::string_view text : {"", "\n", "\r\n", " folded\n", "no colon", ":", ":\n", "Message-ID", "Message-ID:"})
        EXPECT_EQ(peek_header(text).message_id, "") << text;
    EXPECT_EQ(peek_header("Message-ID: " + std::string(1 << 20, 'x')).message_id.size(), 1000u);
    EXPECT_EQ(peek_header("Message-ID: <cut").message_id, "<cut");
}

TEST(DeliverLog, DefaultAndOwnFormats) {
    HeaderPeek header{"<a@b>", "Hello", "Ann <ann@x>"};
    DeliverLogFields fields;
    fields.status = "saved mail to INBOX";
    fields.header = &header;
    fields.sender = "s@x";
    fields.size = 10;
    fields.virtual_size = 12;
    EXPECT_EQ(deliver_log_line("msgid=%m: %$", fields), "msgid=<a@b>: saved mail to INBOX");
    EXPECT_EQ(deliver_log_line("from=%f env=%e subject=%s size=%p/%w: %$", fields),
              "from=ann@x env=s@x subject=Hello size=10/12: saved mail to INBOX");
    header.message_id.clear();
    EXPECT_EQ(deliver_log_line("msgid=%m: %$", fields), "msgid=unspecified: saved mail to INBOX");
}

TEST(DeliverLog, WhatTheMessageSaysIsNeverExpanded) {
    HeaderPeek header{"<%{env:PATH}%u>", "%$", ""};
    DeliverLogFields fields;
    fields.status = "saved";
    fields.header = &header;
    EXPECT_EQ(deliver_log_line("%m %s %$", fields), "<%{env:PATH}%u> %$ saved");
}

}  // namespace
}  // namespace culver
