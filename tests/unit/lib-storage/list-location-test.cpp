#include <gtest/gtest.h>

#include "lib-storage/list/mail-location.h"
#include "lib-storage/mailbox-name.h"

using namespace culver;

TEST(MailLocation, OptionsAndHomeAreUnderstood) {
    const auto location =
        parse_mail_location("maildir:~/Maildir:INDEX=~/idx:CONTROL=/var/ctl:LAYOUT=fs:UTF-8:DIRNAME=mBoX", "/home/a");
    ASSERT_TRUE(location) << location.error().detail;
    EXPECT_EQ(location->mail_root, "/home/a/Maildir");
    EXPECT_EQ(location->inbox, "/home/a/Maildir");
    EXPECT_EQ(location->index_root, "/home/a/idx");
    EXPECT_EQ(location->control_root, "/var/ctl");
    EXPECT_EQ(location->layout, FolderLayoutKind::Fs);
    EXPECT_EQ(location->directory_name, "mBoX");
    EXPECT_TRUE(location->is_utf8);
}

TEST(MailLocation, DefaultsAreTheMailRoot) {
    const auto location = parse_mail_location("maildir:/m/a::b/", "");
    ASSERT_TRUE(location) << location.error().detail;
    EXPECT_EQ(location->mail_root, "/m/a:b");
    EXPECT_EQ(location->control_root, "/m/a:b");
    EXPECT_EQ(location->layout, FolderLayoutKind::MaildirPlusPlus);
    const auto in_memory = parse_mail_location("maildir:/m:INDEX=MEMORY:INBOX=/i", "");
    ASSERT_TRUE(in_memory);
    EXPECT_EQ(in_memory->index_root, "");
    EXPECT_EQ(in_memory->inbox, "/i");
}

TEST(MailLocation, WhatCannotBeMeantIsRefused) {
    for (const char* text :
         {"maildir:~/Maildir", "foo:/x", "mbox:~/mail", "maildir:", "maildir:/x:LAYOUT=odd", "maildir:/x:FOO=1",
          "maildir:rel", "maildir:/x:DIRNAME=../x", "maildir:/x:SUBSCRIPTIONS=a/b"})
        EXPECT_FALSE(parse_mail_location(text, "")) << text;
}

TEST(MailLocation, AutodetectionSaysWhereItLooked) {
    const auto location = detect_mail_location("");
    ASSERT_FALSE(location);
    EXPECT_EQ(location.error().detail,
              "mail_location not set and autodetection failed: Mail storage autodetection failed with home=(not set)");
}

TEST(MailboxName, NamesFromClientsAreChecked) {
    EXPECT_EQ(MailboxName::parse("inBox")->utf8(), "INBOX");
    EXPECT_EQ(MailboxName::parse("inbox/x")->utf8(), "inbox/x");
    EXPECT_TRUE(MailboxName::parse(std::string(1000, 'x')));
    for (const std::string& name : {std::string(), std::string(1001, 'x'), std::string("a\tb"), std::string("a\0b", 3),
                                    std::string("\xff"), std::string("\xc2\x85"), std::string("\x7f")})
        EXPECT_FALSE(MailboxName::parse(name)) << name;
}

TEST(MailboxName, BelowMeansAChildNotAPrefix) {
    const MailboxName parent = *MailboxName::parse("a/b");
    EXPECT_TRUE(MailboxName::parse("a/b/c")->is_below(parent, '/'));
    EXPECT_FALSE(MailboxName::parse("a/bc")->is_below(parent, '/'));
    EXPECT_FALSE(parent.is_below(parent, '/'));
}
