#include "lib-smtp/dialogue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace culver {
namespace {

// Answers everything at once: any local part but "nobody" exists.
class Recorder final : public SmtpHandler {
public:
    void hello(std::string_view name) override { hello_name = name; }
    SmtpReply mail(MailCommand&&) override {
        ++open;
        return {250, "2.1.0 OK"};
    }
    void recipient(RcptCommand&& command) override {
        if (hold) return;
        bool known = command.recipient.local_part != "nobody";
        if (known) ++recipients;
        dialogue->finish_recipient(known ? SmtpReply{250, "2.1.5 OK"} : SmtpReply{550, "5.1.1 unknown"});
    }
    void message_begin() override { message.clear(); }
    void message_data(std::string_view bytes) override { message += bytes; }
    void message_end(MessageOutcome outcome) override {
        std::vector<SmtpReply> replies;
        for (int i = 0; i < recipients; ++i)
            replies.push_back(outcome == MessageOutcome::Complete ? SmtpReply{250, "2.0.0 Saved"}
                                                                  : SmtpReply{552, "5.3.4 Too large"});
        if (outcome == MessageOutcome::Complete) messages.push_back(message);
        dialogue->finish_data(replies);
    }
    void reset() override {
        --open;
        recipients = 0;
    }
    void start_tls() override { ++tls; }

    SmtpDialogue* dialogue = nullptr;
    std::string hello_name, message;
    std::vector<std::string> messages;
    int recipients = 0, open = 0, tls = 0;
    bool hold = false;
};

class Dialogue : public ::testing::Test {
protected:
    Dialogue() {
        options.hostname = "mail.test";
        options.greeting = "ready.";
    }
    std::string say(std::string_view bytes) {
        if (!dialogue) {
            dialogue = std::make_unique<SmtpDialogue>(options, recorder);
            recorder.dialogue = dialogue.get();
        }
        dialogue->feed(bytes);
        return dialogue->take_output();
    }
    SmtpDialogueOptions options;
    Recorder recorder;
    std::unique_ptr<SmtpDialogue> dialogue;
};

TEST_F(Dialogue, APostfixSessionInOneWrite) {
    EXPECT_EQ(
        say("LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<nobody@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
        "250-mail.test\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n"
        "250-SIZE 268435456\r\n250 SMTPUTF8\r\n250 2.1.0 OK\r\n250 2.1.5 OK\r\n550 5.1.1 unknown\r\n250 2.1.5 OK\r\n354 OK\r\n");
    EXPECT_EQ(say("Subject: x\r\n\r\n..y\r\n.\r\nQUIT\r\n"), "250 2.0.0 Saved\r\n250 2.0.0 Saved\r\n221 2.0.0 Bye\r\n");
    ASSERT_EQ(recorder.messages.size(), 1u);
    EXPECT_EQ(recorder.messages[0], "Subject: x\r\n\r\n.y\r\n");
    EXPECT_TRUE(dialogue->is_closed());
    EXPECT_EQ(dialogue->close_reason(), "Logged out");
    EXPECT_EQ(recorder.open, 0);
}

TEST_F(Dialogue, StateErrorsAreDovecots) {
    EXPECT_EQ(say("RCPT TO:<a@x>\r\n"), "503 5.5.0 MAIL needed first\r\n");
    EXPECT_EQ(say("DATA\r\n"), "503 5.5.0 MAIL needed first\r\n");
    EXPECT_EQ(say("MAIL FROM:<s@x>\r\nMAIL FROM:<s@x>\r\n"), "250 2.1.0 OK\r\n503 5.5.0 MAIL already given\r\n");
    EXPECT_EQ(say("DATA\r\n"), "503 5.5.0 No valid recipients\r\n");
    EXPECT_EQ(say("BDAT 3\r\nabcRSET\r\n"), "503 5.5.0 No valid recipients\r\n250 2.0.0 OK\r\n");
    EXPECT_EQ(say("VRFY x\r\nHELP\r\nEHLO x\r\n"),
              "252 2.3.3 Try RCPT instead\r\n500 5.5.1 Unknown command\r\n500 5.5.1 Unknown command\r\n");
}

TEST_F(Dialogue, TheEleventhBadCommandEnds) {
    std::string out;
    for (int i = 0; i < 10; ++i) out = say("FOO\r\n");
    EXPECT_EQ(out, "500 5.5.1 Unknown command\r\n");
    EXPECT_EQ(say("FOO\r\nNOOP\r\n"), "421 4.7.0 mail.test Too many invalid commands.\r\n");
    EXPECT_TRUE(dialogue->is_closed());
}

TEST_F(Dialogue, LongLinesAreSkippedWithoutBeingKept) {
    EXPECT_EQ(say("NOOP " + std::string(5000, 'x')), "500 5.5.2 Line too long\r\n");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(say(std::string(5000, 'y')), "");
    EXPECT_FALSE(dialogue->has_unread_input());
    EXPECT_EQ(say("\r\nNOOP\r\n"), "250 2.0.0 OK\r\n");
}

TEST_F(Dialogue, ManyTinyChunksAreOneMessage) {
    say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\n");
    for (int i = 0; i < 20000; ++i) ASSERT_EQ(say("BDAT 1\r\nx"), "250 2.0.0 Added 1 octets\r\n");
    EXPECT_EQ(say("BDAT 0 LAST\r\n"), "250 2.0.0 Saved\r\n");
    EXPECT_EQ(recorder.messages.at(0).size(), 20000u);
    // The next transaction starts afresh.
    say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n");
    EXPECT_EQ(say("DATA\r\n"), "354 OK\r\n");
    EXPECT_EQ(say("z\r\n.\r\n"), "250 2.0.0 Saved\r\n250 2.0.0 Saved\r\n");
}

TEST_F(Dialogue, AFailedChunkPoisonsTheTransactionUntilReset) {
    say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\n");
    EXPECT_EQ(say("BDAT 3\r\nabc"), "250 2.0.0 Added 3 octets\r\n");
    EXPECT_EQ(say("DATA\r\n"), "503 5.5.0 Bad sequence of commands\r\n");
    EXPECT_EQ(say("BDAT x\r\n"), "501 5.5.4 Invalid chunk size parameter\r\n");
    EXPECT_EQ(say("BDAT 6 LAST\r\nQUIT\r\n"), "503 5.5.0 Previous data chunk failed, issue RSET first\r\n");
    EXPECT_EQ(say("RSET\r\n"), "250 2.0.0 OK\r\n");
    EXPECT_TRUE(recorder.messages.empty());
}

TEST_F(Dialogue, RecipientsAreLimited) {
    say("MAIL FROM:<s@x>\r\n");
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(say("RCPT TO:<a@x>\r\n"), "250 2.1.5 OK\r\n");
    EXPECT_EQ(say("RCPT TO:<a@x>\r\n"), "452 4.5.3 Too many recipients\r\n");
}

TEST_F(Dialogue, TooLargeMessagesAreRefusedAndSkipped) {
    options.limits.message = 100;
    EXPECT_EQ(say("MAIL FROM:<s@x> SIZE=101\r\n"), "552 5.3.4 Message size exceeds fixed limit\r\n");
    say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nDATA\r\n");
    EXPECT_EQ(say(std::string(150, 'x') + "\r\n.\r\n"), "552 5.3.4 Too large\r\n");
    say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\n");
    EXPECT_EQ(say("BDAT 60\r\n" + std::string(60, 'x')), "250 2.0.0 Added 60 octets\r\n");
    EXPECT_EQ(say("BDAT 60\r\n" + std::string(60, 'x')), "552 5.3.4 Message size exceeds fixed limit\r\n");
    EXPECT_EQ(say("RSET\r\n"), "250 2.0.0 OK\r\n");
    EXPECT_EQ(say("BDAT 101 LAST\r\n"), "552 5.3.4 Chunk size exceeds fixed limit\r\n");
    EXPECT_TRUE(dialogue->is_closed());
    EXPECT_TRUE(recorder.messages.empty());
}

TEST_F(Dialogue, NothingIsReadWhileALookupRuns) {
    recorder.hold = true;
    EXPECT_EQ(say("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nNOOP\r\n"), "250 2.1.0 OK\r\n");
    EXPECT_FALSE(dialogue->wants_input());
    dialogue->finish_recipient({451, "4.3.0 later"});
    EXPECT_EQ(dialogue->take_output(), "451 4.3.0 later\r\n250 2.0.0 OK\r\n");
}

TEST_F(Dialogue, RepliesThatNobodyReadsStopTheWork) {
    say("NOOP\r\n");
    std::string flood;
    for (int i = 0; i < 20000; ++i) flood += "NOOP\r\n";
    dialogue->feed(flood);
    EXPECT_FALSE(dialogue->wants_input());
    std::size_t total = 0;
    for (std::string out = dialogue->take_output(); !out.empty(); out = dialogue->take_output()) {
        EXPECT_LE(out.size(), options.limits.output + 100);
        total += out.size();
    }
    EXPECT_EQ(total, 20000u * 14);
}

TEST_F(Dialogue, NothingSaidInTheClearSurvivesTls) {
    options.offer_starttls = true;
    say("LHLO x\r\nMAIL FROM:<s@x>\r\n");
    EXPECT_EQ(say("STARTTLS\r\nMAIL FROM:<evil@x>\r\n"), "220 2.0.0 Begin TLS negotiation now.\r\n");
    EXPECT_EQ(recorder.tls, 1);
    EXPECT_EQ(recorder.open, 0);
    EXPECT_TRUE(dialogue->has_unread_input());
    dialogue->restart_after_tls();
    EXPECT_EQ(say("RCPT TO:<a@x>\r\n"), "503 5.5.0 MAIL needed first\r\n");
}

}  // namespace
}  // namespace culver
