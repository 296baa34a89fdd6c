// Sessions over a socket pair: the command reader, states, limits, pipelining, IDLE.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <regex>
#include <set>
#include <thread>

#include "fake-mail.h"
#include "imapd/capability.h"
#include "imapd/session-pool.h"
#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-net/socket.h"

namespace culver::test {
namespace {

std::shared_ptr<const Settings> settings_of(std::string_view configuration) {
    char path[] = "/tmp/culver-imapd-test-XXXXXX";
    const int fd = ::mkstemp(path);
    EXPECT_EQ(::write(fd, configuration.data(), configuration.size()), ssize_t(configuration.size()));
    ::close(fd);
    LoadOptions options;
    options.path = path;
    auto loaded = load_settings(options);
    ::unlink(path);
    return loaded.settings;
}

std::shared_ptr<const Settings> default_settings() {
    static const auto settings = settings_of("");
    return settings;
}

// A client and a pool with one session of bob, who has logged in with tag "L".
class Dialogue {
public:
    explicit Dialogue(std::string pending = {}) : pool_(2, [this](std::uint64_t) { ended_.set_value(); }) {
        set_log_sink([](LogLevel, std::string_view) {});
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        client_ = std::move(pair->first);
        EXPECT_TRUE(set_blocking(client_.get(), Blocking::Yes).has_value());
        const timeval limit{5, 0};
        ::setsockopt(client_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        SessionStart start;
        start.username = "bob";
        start.session_id = "abc";
        start.tag = "L";
        start.settings = default_settings();
        start.pending_input = std::move(pending);
        start.open_user = [this]() -> Result<std::shared_ptr<MailUser>> { return user; };
        pool_.add(1, std::move(pair->second), std::move(start));
        EXPECT_TRUE(read_until("L OK").find("[CAPABILITY IMAP4rev1") != std::string::npos);
    }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // Everything up to the end of the line that begins with `begin`; what was read when the server closes.
    std::string read_until(std::string_view begin) {
        std::string text;
        for (;;) {
            std::size_t line = 0;
            for (std::size_t crlf; (crlf = input_.find("\r\n", line)) != std::string::npos; line = crlf + 2) {
                if (!std::string_view(input_).substr(line).starts_with(begin)) continue;
                text = input_.substr(0, crlf + 2);
                input_.erase(0, crlf + 2);
                return text;
            }
            char buffer[65536];
            const ssize_t got = ::recv(client_.get(), buffer, sizeof buffer, 0);
            if (got <= 0) {
                closed_ = got == 0;
                return input_ + "<closed>";
            }
            input_.append(buffer, static_cast<std::size_t>(got));
        }
    }
    // A command and its whole answer, without the timing.
    std::string ask(const std::string& tag, const std::string& command) {
        send(tag + " " + command + "\r\n");
        static const std::regex timing(R"( \(\d+\.\d{3} \+ \d+\.\d{3}( \+ \d+\.\d{3})? secs\))");
        return std::regex_replace(read_until(tag + " "), timing, "");
    }
    bool ends() { return ended_.get_future().wait_for(std::chrono::seconds(5)) == std::future_status::ready; }
    void hang_up() { client_.reset(); }
    SessionPool& pool() { return pool_; }

    std::shared_ptr<FakeUser> user = std::make_shared<FakeUser>();

private:
    std::promise<void> ended_;
    UniqueFd client_;
    SessionPool pool_;
    std::string input_;
    bool closed_ = false;
};

TEST(Session, AnswersInTheWordsThatClientsOfDovecotKnow) {
    static const std::pair<std::string, std::string> kDialogue[] = {
        {"NOOP", "a OK NOOP completed.\r\n"},
        {"noop ignored (arguments", "a OK NOOP completed.\r\n"},
        {"FOO", "a BAD Error in IMAP command FOO: Unknown command.\r\n"},
        {"UID FOO", "a BAD Error in IMAP command UID FOO: Unknown command.\r\n"},
        {"UID", "a BAD Error in IMAP command: Invalid command name.\r\n"},
        {"LOGIN bob secret", "a BAD Error in IMAP command LOGIN: Unknown command.\r\n"},
        {"CLOSE", "a BAD No mailbox selected.\r\n"},
        {"STORE 1 FLAGS ()", "a BAD No mailbox selected.\r\n"},
        {"SELECT", "a BAD Error in IMAP command SELECT: Invalid arguments.\r\n"},
        {"SELECT (x", "a BAD Error in IMAP command SELECT: Missing ')'.\r\n"},
        {"SELECT \"x", "a BAD Error in IMAP command SELECT: Missing '\"'.\r\n"},
        {"SELECT INBOX (FOO)", "a BAD Error in IMAP command SELECT: Unknown FETCH modifier.\r\n"},
        {"SELECT nope", "a NO Mailbox doesn't exist: nope.\r\n"},
        {"CREATE", "a BAD Error in IMAP command CREATE: Missing arguments.\r\n"},
        {"CREATE &Jj", "a NO Mailbox name is not valid mUTF-7.\r\n"},
        {"STATUS INBOX (FOO)", "a BAD Error in IMAP command STATUS: Invalid status item FOO.\r\n"},
        {"STATUS INBOX ()", "a BAD Error in IMAP command STATUS: Empty status list.\r\n"},
        {"STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 0)\r\na OK Status completed.\r\n"},
        {"LIST", "a BAD Error in IMAP command LIST: Invalid reference.\r\n"},
        {"LIST (RECURSIVEMATCH) \"\" *",
         "a BAD Error in IMAP command LIST: RECURSIVEMATCH must not be the only selection.\r\n"},
        {"ENABLE CONDSTORE FOO", "* ENABLED CONDSTORE\r\na OK Enabled.\r\n"},
        {"ENABLE FOO", "a OK Enabled.\r\n"},
        {"APPEND", "a BAD Error in IMAP command APPEND: Missing arguments.\r\n"},
        {"APPEND INBOX", "a BAD Error in IMAP command APPEND: Missing message size.\r\n"},
        {"APPEND INBOX {0}", "a NO Can't save a zero byte message.\r\n"},
        {"APPEND nope {5}", "a NO [TRYCREATE] Mailbox doesn't exist: nope.\r\n"},
        {"APPEND INBOX {300000000}", "a NO [TOOBIG] Message is larger than 268435456 bytes.\r\n"},
    };
    Dialogue dialogue;
    for (const auto& [command, answer] : kDialogue) EXPECT_EQ(dialogue.ask("a", command), answer) << command;
}

TEST(Session, RefusesLinesWithoutATag) {
    Dialogue dialogue;
    for (const std::string& line :
         std::vector<std::string>{"\r\n", "* NOOP\r\n", "+ NOOP\r\n", "a(b NOOP\r\n", std::string("\0 NOOP\r\n", 8)}) {
        dialogue.send(line);
        EXPECT_TRUE(dialogue.read_until("* BAD").starts_with("* BAD Error in IMAP tag: Invalid tag (")) << line;
    }
}

TEST(Session, RunsWhatCameBehindTheLogin) {
    Dialogue dialogue("x NOOP\r\ny NO");
    EXPECT_TRUE(dialogue.read_until("x ").starts_with("x OK NOOP completed"));
    dialogue.send("OP\r\n");
    EXPECT_TRUE(dialogue.read_until("y ").starts_with("y OK NOOP completed"));
}

TEST(Session, LogsOut) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("z", "LOGOUT"), "* BYE Logging out\r\nz OK Logout completed.\r\n");
    EXPECT_TRUE(dialogue.read_until("never").ends_with("<closed>"));
    EXPECT_TRUE(dialogue.ends());
}

TEST(Session, SurvivesALineThatIsTooLong) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "SELECT \"" + std::string(70'000, 'x') + "\""),
              "a BAD Error in IMAP command SELECT: Too long argument.\r\n");
    EXPECT_EQ(dialogue.ask("b", "NOOP"), "b OK NOOP completed.\r\n");
}

TEST(Session, TakesLiteralsOfBothKinds) {
    Dialogue dialogue;
    dialogue.send("a STATUS {5}\r\n");
    EXPECT_EQ(dialogue.read_until("+"), "+ OK\r\n");
    dialogue.send("INBOX (MESSAGES)\r\n");
    EXPECT_TRUE(dialogue.read_until("a ").starts_with("* STATUS INBOX (MESSAGES 0)\r\na OK Status completed ("));
    EXPECT_NE(dialogue.ask("c", "STATUS {5+}\r\nINBOX (MESSAGES)").find("c OK Status completed."), std::string::npos);
}

TEST(Session, RefusesALiteralThatIsTooLargeAndStays) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "SELECT {70000}"), "a BAD [TOOBIG] Literal size too large.\r\n");
    EXPECT_EQ(dialogue.ask("b", "NOOP"), "b OK NOOP completed.\r\n");
}

TEST(Session, SwallowsTheMessageOfAnAppendThatDoesNotParse) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "APPEND INBOX \"bad\" {12+}\r\nb LOGOUT\r\nxx"),
              "a BAD Error in IMAP command APPEND: Invalid internal date.\r\n");
    EXPECT_EQ(dialogue.ask("c", "NOOP"), "c OK NOOP completed.\r\n");
}

TEST(Session, SwallowsALiteralThatIsALittleTooLarge) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "SELECT {70000+}\r\n" + std::string(70000, 'x')),
              "a BAD [TOOBIG] Literal size too large.\r\n");
    EXPECT_EQ(dialogue.ask("c", "NOOP"), "c OK NOOP completed.\r\n");
}

TEST(Session, EndsWhenALargeLiteralComesUnasked) {
    Dialogue dialogue;
    dialogue.send("a SELECT {7000000+}\r\n");
    EXPECT_EQ(dialogue.read_until("* BYE"), "* BYE Literal size too large\r\n");
    EXPECT_TRUE(dialogue.ends());
}

TEST(Session, SwallowsTheLiteralOfAnUnknownCommand) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "FOO {9+}\r\nz LOGOUT\n x"), "a BAD Error in IMAP command FOO: Unknown command.\r\n");
    EXPECT_EQ(dialogue.ask("b", "NOOP"), "b OK NOOP completed.\r\n");
}

TEST(Session, EndsAfterTwentyBadCommandsInARow) {
    Dialogue dialogue;
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(dialogue.ask("a", "FOO").starts_with("a BAD"));
    dialogue.send("a FOO\r\n");
    EXPECT_EQ(dialogue.read_until("* BYE"), "* BYE Too many invalid IMAP commands.\r\n");
    EXPECT_TRUE(dialogue.ends());
}

TEST(Session, AppendsInOnePieceAndInMany) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "APPEND INBOX (\\Seen) \"01-Feb-2024 10:00:00 +0000\" {5+}\r\nhello {3+}\r\nabc"),
              "a OK [APPENDUID 7 1:2] Append completed.\r\n");
    dialogue.send("b APPEND {5}\r\n");
    EXPECT_EQ(dialogue.read_until("+"), "+ OK\r\n");
    dialogue.send("INBOX {4}\r\n");
    EXPECT_EQ(dialogue.read_until("+"), "+ OK\r\n");
    dialogue.send("wo");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    dialogue.send("rd\r");
    dialogue.send("\n");
    EXPECT_TRUE(dialogue.read_until("b ").starts_with("b OK [APPENDUID 7 3] Append completed ("));
    EXPECT_EQ(dialogue.user->inbox->appended, "helloabcword");
}

TEST(Session, SwallowsAMessageForAMailboxThatIsNotThere) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.ask("a", "APPEND nope {12+}\r\nb LOGOUT\r\nxx"),
              "a NO [TRYCREATE] Mailbox doesn't exist: nope.\r\n");
    EXPECT_EQ(dialogue.ask("c", "NOOP"), "c OK NOOP completed.\r\n");
}

TEST(Session, SaysThatTheOldMailboxIsClosedEvenIfTheNewOneIsMissing) {
    Dialogue dialogue;
    EXPECT_NE(dialogue.ask("a", "SELECT INBOX").find("a OK [READ-WRITE] Select completed.\r\n"), std::string::npos);
    EXPECT_EQ(dialogue.ask("b", "SELECT nope"),
              "* OK [CLOSED] Previous mailbox closed.\r\nb NO Mailbox doesn't exist: nope.\r\n");
    EXPECT_EQ(dialogue.ask("c", "CLOSE"), "c BAD No mailbox selected.\r\n");
}

TEST(Session, PushesNewsWhileItIdles) {
    Dialogue dialogue;
    dialogue.ask("a", "SELECT INBOX");
    dialogue.send("b IDLE\r\n");
    EXPECT_EQ(dialogue.read_until("+"), "+ idling\r\n");
    for (unsigned i = 1; i <= 3; ++i) {
        dialogue.user->inbox->messages = i;
        dialogue.user->inbox->on_change();
        EXPECT_EQ(dialogue.read_until("* "), "* " + std::to_string(i) + " EXISTS\r\n");
    }
    dialogue.send("DONE\r\n");
    EXPECT_TRUE(dialogue.read_until("b ").starts_with("b OK Idle completed ("));
}

TEST(Session, EndsIdleOnAnythingButDone) {
    Dialogue dialogue;
    dialogue.send("a IDLE\r\nnot done\r\n");
    EXPECT_NE(dialogue.read_until("a ").find("a BAD Expected DONE ("), std::string::npos);
    dialogue.send("b IDLE\r\ndone\r\n");
    EXPECT_NE(dialogue.read_until("b ").find("b OK Idle completed ("), std::string::npos);
}

// RFC 3501 §5.5: the numbers of the second command were chosen before the client could hear of the expunge.
TEST(Session, HoldsExpungesBackWhileCommandsWithSequenceNumbersAreInThePipeline) {
    Dialogue dialogue;
    dialogue.user->inbox->messages = 3;
    dialogue.ask("a", "SELECT INBOX");
    EXPECT_NE(dialogue.ask("b", "NOOP").find("* 3 EXISTS"), std::string::npos);
    dialogue.user->inbox->expunge_at_next_sync = 1;
    dialogue.send("c NOOP\r\nd STORE 3 +FLAGS (\\Seen)\r\ne NOOP\r\n");
    const std::string before = dialogue.read_until("d ");
    EXPECT_EQ(before.find("EXPUNGE"), std::string::npos) << before;
    EXPECT_EQ(dialogue.read_until("e ").find("* 3 EXPUNGE\r\ne OK"), 0u);
}

TEST(Session, EndsWhenTheClientHangsUp) {
    for (const std::string last : {"", "a NO", "a IDLE\r\n", "a APPEND INBOX {100}\r\nabc", "a SELECT {10+}\r\nabc"}) {
        Dialogue dialogue;
        dialogue.send(last);
        dialogue.hang_up();
        EXPECT_TRUE(dialogue.ends()) << last;
        EXPECT_EQ(dialogue.user->inbox->messages, 0u);
    }
}

TEST(Session, SaysGoodbyeWhenTheServerStops) {
    Dialogue idling;
    idling.send("a IDLE\r\n");
    idling.read_until("+");
    idling.pool().stop();
    EXPECT_EQ(idling.read_until("* BYE"), "* BYE Server shutting down.\r\n");
    EXPECT_TRUE(idling.pool().wait_until_empty(std::chrono::seconds(5)));
}

TEST(Session, OffersTheKindOfLiteralsThatIsConfigured) {
    const std::string usual = capability_text(*default_settings()) + ' ';
    EXPECT_NE(usual.find(" LITERAL+ "), usual.npos) << usual;
    EXPECT_EQ(usual.find(" LITERAL- "), usual.npos) << usual;
    const std::string minus = capability_text(*settings_of("imap_literal_minus = yes\n")) + ' ';
    EXPECT_NE(minus.find(" LITERAL- "), minus.npos) << minus;
    EXPECT_EQ(minus.find(" LITERAL+ "), minus.npos) << minus;
}

TEST(Session, ServesPipelinedCommandsInOrder) {
    Dialogue dialogue;
    std::string commands;
    for (int i = 0; i < 500; ++i) commands += "t" + std::to_string(i) + " NOOP\r\n";
    dialogue.send(commands);
    for (int i = 0; i < 500; ++i) {
        const std::string tag = "t" + std::to_string(i) + " ";
        EXPECT_TRUE(dialogue.read_until(tag).starts_with(tag + "OK NOOP"));
    }
}

}  // namespace
}  // namespace culver::test
