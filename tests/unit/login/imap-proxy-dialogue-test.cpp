#include "login/imap/imap-proxy-dialogue.h"

#include <gtest/gtest.h>

#include "lib-base/text.h"

namespace culver {
namespace {

using Kind = ProxyStep::Kind;
using namespace std::string_literals;

constexpr char kGreeting[] = "* OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ AUTH=PLAIN] Ready.";
constexpr char kId[] =
    "I ID (\"x-session-id\" \"s1\" \"x-originating-ip\" \"192.0.2.7\" \"x-originating-port\" \"4000\" "
    "\"x-connected-ip\" \"192.0.2.1\" \"x-connected-port\" \"143\" \"x-proxy-ttl\" \"4\")\r\n";

ProxyTarget bob() {
    ProxyTarget target;
    target.host = "backend.test";
    target.user = "bob";
    target.password = SecretString("secret");
    return target;
}

ImapProxyClient client(bool asked_capability = false) {
    return {.tag = "a1",
            .session = "s1",
            .remote_ip = "192.0.2.7",
            .local_ip = "192.0.2.1",
            .remote_port = 4000,
            .local_port = 143,
            .asked_capability = asked_capability};
}

TEST(ImapProxyDialogue, TellsWhoTheClientIsAndLogsInAtOnce) {
    const ProxyTarget target = bob();
    ImapProxyDialogue dialogue(target, client());
    EXPECT_EQ(dialogue.state(), "/none");
    EXPECT_EQ(dialogue.on_line(kGreeting).kind, Kind::GoOn);
    EXPECT_EQ(dialogue.take_output(), std::string(kId) + "L LOGIN \"bob\" \"secret\"\r\n");
    EXPECT_EQ(dialogue.state(), "id+login/banner");
    EXPECT_EQ(dialogue.on_line("* ID NIL").kind, Kind::GoOn);
    EXPECT_EQ(dialogue.on_line("I OK").kind, Kind::GoOn);
    EXPECT_EQ(dialogue.state(), "login/id");
    const ProxyStep step = dialogue.on_line("L OK [CAPABILITY IMAP4rev1 X] Welcome");
    ASSERT_EQ(step.kind, Kind::LoggedIn);
    EXPECT_EQ(step.text, "a1 OK [CAPABILITY IMAP4rev1 X] Welcome\r\n");
    EXPECT_EQ(dialogue.take_output(), "");
}

TEST(ImapProxyDialogue, WithoutPipeliningItWaitsForTheAnswerToId) {
    ProxyTarget target = bob();
    target.pipelining = false;
    ImapProxyDialogue dialogue(target, client());
    dialogue.on_line(kGreeting);
    EXPECT_EQ(dialogue.take_output(), kId);
    dialogue.on_line("I BAD what?");
    EXPECT_EQ(dialogue.take_output(), "L LOGIN \"bob\" \"secret\"\r\n");
}

TEST(ImapProxyDialogue, ASilentGreetingIsAskedForItsCapabilities) {
    const ProxyTarget target = bob();
    ImapProxyDialogue dialogue(target, client());
    dialogue.on_line("* OK Hello");
    EXPECT_EQ(dialogue.take_output(), "C CAPABILITY\r\n");
    dialogue.on_line("* CAPABILITY IMAP4rev1");
    EXPECT_EQ(dialogue.take_output(), "");
    dialogue.on_line("C OK done");
    EXPECT_EQ(dialogue.take_output(), "L LOGIN \"bob\" \"secret\"\r\n");
}

TEST(ImapProxyDialogue, NothingSecretGoesOutBeforeStartTlsAndNothingSaidBeforeItCounts) {
    ProxyTarget target = bob();
    target.tls = ProxyTarget::Tls::StartTls;
    ImapProxyDialogue dialogue(target, client());
    dialogue.on_line("* OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED SASL-IR] x");
    EXPECT_EQ(dialogue.take_output(), "S STARTTLS\r\n");
    EXPECT_EQ(dialogue.on_line("S OK go").kind, Kind::StartTls);
    EXPECT_EQ(dialogue.on_tls().kind, Kind::GoOn);
    EXPECT_EQ(dialogue.take_output(), "C CAPABILITY\r\n");
    dialogue.on_line("* CAPABILITY IMAP4rev1 ID");
    dialogue.on_line("C OK");
    EXPECT_EQ(dialogue.take_output(), std::string(kId) + "L LOGIN \"bob\" \"secret\"\r\n");
}

TEST(ImapProxyDialogue, EachWayToAuthenticate) {
    struct Case {
        std::string mechanism, master, response;
    };
    const Case cases[] = {
        {"", "boss", "bob\0boss\0secret"s},
        {"PLAIN", "", "bob\0bob\0secret"s},
        {"EXTERNAL", "", "bob"},
        {"OAUTHBEARER", "", "n,a=bob,\1auth=Bearer secret\1\1"},
        {"XOAUTH2", "", "user=bob\1auth=Bearer secret\1\1"},
    };
    for (const Case& each : cases) {
        ProxyTarget target = bob();
        target.mechanism = each.mechanism;
        target.master = each.master;
        target.trusted = false;
        const std::string name = target.mechanism.empty() ? "PLAIN" : target.mechanism;
        ImapProxyDialogue at_once(target, client());
        at_once.on_line(kGreeting);
        EXPECT_EQ(at_once.take_output(), "L AUTHENTICATE " + name + " " + base64_encode(each.response) + "\r\n");
        ImapProxyDialogue in_turn(target, client());
        in_turn.on_line("* OK [CAPABILITY IMAP4rev1] x");
        EXPECT_EQ(in_turn.take_output(), "L AUTHENTICATE " + name + "\r\n");
        in_turn.on_line("+ ");
        EXPECT_EQ(in_turn.take_output(), base64_encode(each.response) + "\r\n");
    }
    ProxyTarget target = bob();
    target.mechanism = "CRAM-MD5";
    ImapProxyDialogue unknown(target, client());
    EXPECT_EQ(unknown.on_line(kGreeting).text, "Unsupported SASL mechanism CRAM-MD5");
}

TEST(ImapProxyDialogue, OddNamesTravelAsLiteralsOrInBase64) {
    ProxyTarget target = bob();
    target.trusted = false;
    target.user = "b\xc3\xb6";
    ImapProxyDialogue literal_plus(target, client());
    literal_plus.on_line(kGreeting);
    EXPECT_EQ(literal_plus.take_output(), "L LOGIN {3+}\r\nb\xc3\xb6 \"secret\"\r\n");
    ImapProxyDialogue plain(target, client());
    plain.on_line("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] x");
    EXPECT_EQ(plain.take_output(), "L AUTHENTICATE PLAIN " + base64_encode("\0b\xc3\xb6\0secret"s) + "\r\n");
    ImapProxyDialogue waiting(target, client());
    waiting.on_line("* OK [CAPABILITY IMAP4rev1] x");
    EXPECT_EQ(waiting.take_output(), "L LOGIN {3}\r\n");
    waiting.on_line("+ go");
    EXPECT_EQ(waiting.take_output(), "b\xc3\xb6 \"secret\"\r\n");
}

TEST(ImapProxyDialogue, ARefusalReachesTheClientIfItSaysMoreThanAWrongPassword) {
    struct Case {
        const char *answer, *text;
        bool is_guess;
    };
    const Case cases[] = {
        {"L NO [AUTHENTICATIONFAILED] Wrong", "NO [AUTHENTICATIONFAILED] Authentication failed.", true},
        {"L NO wrong", "NO [AUTHENTICATIONFAILED] Authentication failed.", true},
        {"L NO", "NO [AUTHENTICATIONFAILED] Authentication failed.", false},
        {"L BAD [X] y", "NO [AUTHENTICATIONFAILED] Authentication failed.", false},
        {"L NO [UNAVAILABLE] Later", "NO [UNAVAILABLE] Later", false},
        {"L NO [ALERT] Read", "NO [ALERT] Read", false},
        {"L NO [OPEN Read", "NO [AUTHENTICATIONFAILED] Authentication failed.", true},
    };
    const ProxyTarget target = bob();
    for (const Case& each : cases) {
        ImapProxyDialogue dialogue(target, client());
        dialogue.on_line(kGreeting);
        const ProxyStep step = dialogue.on_line(each.answer);
        EXPECT_EQ(step.kind, Kind::Refused) << each.answer;
        EXPECT_EQ(step.text, each.text) << each.answer;
        EXPECT_EQ(step.is_guess, each.is_guess) << each.answer;
    }
}

TEST(ImapProxyDialogue, WhatIsNoImapEndsIt) {
    const ProxyTarget target = bob();
    for (const char* greeting : {"220 smtp", "* BYE no", "* PREAUTH hi", "", "+OK pop"}) {
        ImapProxyDialogue dialogue(target, client());
        const ProxyStep step = dialogue.on_line(greeting);
        EXPECT_EQ(step.kind, Kind::Failed) << greeting;
        EXPECT_EQ(step.text, "Remote server sent invalid input: Invalid banner: "s + greeting);
    }
    ImapProxyDialogue nul(target, client());
    EXPECT_EQ(nul.on_line("* OK \0x"s).kind, Kind::Failed);
}

TEST(ImapProxyDialogue, AClearTextLoginIsNotTriedWhereTheServerForbidsIt) {
    const ProxyTarget target = bob();
    ImapProxyDialogue dialogue(target, client());
    const ProxyStep step = dialogue.on_line("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x");
    EXPECT_EQ(step.kind, Kind::Failed);
    EXPECT_TRUE(step.needs_admin);
    EXPECT_EQ(dialogue.take_output(), "");
}

TEST(ImapProxyDialogue, TheClientGetsToKnowTheCapabilitiesOfTheBackend) {
    const ProxyTarget target = bob();
    ImapProxyDialogue from_greeting(target, client());
    from_greeting.on_line("* OK [CAPABILITY IMAP4rev1 A] x");
    EXPECT_EQ(from_greeting.on_line("L OK in").text, "a1 OK [CAPABILITY IMAP4rev1 A] in\r\n");
    ImapProxyDialogue untagged(target, client());
    untagged.on_line(kGreeting);
    untagged.on_line("* OK note");
    untagged.on_line("* CAPABILITY B");
    EXPECT_EQ(untagged.on_line("L OK in").text, "* OK note\r\na1 OK [CAPABILITY B] in\r\n");
    ImapProxyDialogue old_client(target, client(true));
    old_client.on_line(kGreeting);
    EXPECT_EQ(old_client.on_line("L OK [CAPABILITY C] in").text, "* CAPABILITY C\r\na1 OK in\r\n");
}

TEST(ImapProxyDialogue, ManyLinesBetweenAreTooMuch) {
    const ProxyTarget target = bob();
    ImapProxyDialogue dialogue(target, client());
    dialogue.on_line(kGreeting);
    const std::string line = "* OK " + std::string(1000, 'x');
    Kind last = Kind::GoOn;
    for (int i = 0; i < 20 && last == Kind::GoOn; ++i) last = dialogue.on_line(line).kind;
    EXPECT_EQ(last, Kind::Failed);
}

}  // namespace
}  // namespace culver
