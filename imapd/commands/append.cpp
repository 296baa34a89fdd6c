// APPEND: messages come in, one or several at once. RFC 3501 §6.3.11, MULTIAPPEND by RFC 3502, APPENDUID by RFC 4315,
// the size limit by RFC 7889.
//
// The session stops at the first message's literal and gives the text before it to parse(); everything behind is read
// here, straight from the client to the disk. All messages appear together or not at all.
#include <fmt/format.h>

#include <algorithm>

#include "imapd/append-limit.h"
#include "imapd/commands.h"
#include "imapd/mailbox-argument.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"
#include "lib-imap/sequence-set.h"

namespace culver {
namespace {

// The client must send something every so often (Dovecot's time-out of a stuck command).
constexpr std::chrono::minutes kInputTimeout{30};
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kTextLimit = 64 * 1024;  // between two messages: flags and a date
constexpr std::size_t kMessageLimit = 10'000;

class Append final : public Command {
public:
    void parse(Parser& in) override {
        mailbox_ = in.mailbox("Missing arguments");
        parse_message(in);
    }

    Reply run(Session& session) override {
        Reply refusal = Reply::ok("");
        auto destination = open_destination(session, mailbox_);
        std::unique_ptr<SaveTransaction> save;
        if (!destination) {
            refusal = std::move(destination.error());
        } else if (auto begun = (*destination)->begin_save(); begun) {
            save = std::move(*begun);
        } else {
            refusal = Reply::from(begun.error());
        }
        for (std::size_t count = 1;; ++count) {
            if (refusal.kind == Reply::Kind::Ok) refusal = check_size(count);
            if (refusal.kind == Reply::Kind::Ok)
                if (auto begun = save->begin(options_); !begun) refusal = Reply::from(begun.error());
            if (refusal.kind != Reply::Kind::Ok) {
                if (!swallow(session)) return Reply::close();
                if (literal_.synchronising) return refusal;
            } else if (auto received = receive(session, *save); !received) {
                if (session.is_gone()) return Reply::close();
                refusal = Reply::from(received.error());
            }
            std::string text;
            if (!read_line(session, text)) return Reply::close();
            if (text.empty()) break;
            Parser in(text);
            if (in.peek() == Parser::Token::LiteralHeader || in.next_is_list() || in.peek() == Parser::Token::Quoted)
                parse_message(in);
            else in.fail(Parser::kInvalid);
            if (in.ok()) continue;
            if (refusal.kind != Reply::Kind::Ok) return refusal;
            return in.error().kind == ParseError::Kind::No ? Reply::no(in.error().code, in.error().text)
                                                           : Reply::invalid(in.error().text);
        }
        if (refusal.kind != Reply::Kind::Ok) return refusal;
        return commit(session, *save);
    }

private:
    // [SP flag-list] [SP date-time] SP literal
    void parse_message(Parser& in) {
        options_ = {};
        if (in.next_is_list()) {
            const FlagList flags = in.flags();
            options_.system = flags.system;
            options_.keywords = flags.keywords;
        }
        if (in.ok() && in.peek() == Parser::Token::Quoted) options_.internal_date = in.date_time();
        if (in.ok() && !in.more()) in.fail("Missing message size");
        literal_ = in.literal_header();
    }

    Reply check_size(std::size_t count) const {
        if (literal_.size == 0) return Reply::no("Can't save a zero byte message");
        if (literal_.size > kAppendLimit)
            return Reply::no("TOOBIG", fmt::format("Message is larger than {} bytes", kAppendLimit));
        if (count > kMessageLimit) return Reply::no("LIMIT", "Too many messages in one command");
        return Reply::ok("");
    }

    // One message from the client to the disk. When the disk fails the rest is read all the same, so that the client
    // and the server agree on where the next command begins.
    Status receive(Session& session, SaveTransaction& save) {
        Status result;
        ClientStream& client = session.client();
        if (literal_.synchronising) {
            client.out().append("+ OK\r\n");
            if (!client.flush()) return {};
        }
        std::uint64_t left = literal_.size;
        while (left > 0) {
            if (client.input().empty() && !client.read_blocking(kChunk, kInputTimeout))
                return fail(ErrorCode::Unavailable, "the client went away in the middle of a message");
            const std::string_view part =
                client.input().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk)));
            if (result) result = save.write(part);
            left -= part.size();
            client.consume(part.size());
        }
        if (result) result = save.end();
        if (result) ++saved_;
        return result;
    }

    // A message that is refused but comes anyway (LITERAL+). Too large for that: the session ends. False: it ends.
    bool swallow(Session& session) {
        if (literal_.synchronising) return true;
        if (literal_.size > kAppendLimit) {
            session.untagged("BYE [TOOBIG] Message is too large");
            session.end();
            return false;
        }
        ClientStream& client = session.client();
        for (std::uint64_t left = literal_.size; left > 0;) {
            if (client.input().empty() && !client.read_blocking(kChunk, kInputTimeout)) return false;
            const std::uint64_t part = std::min<std::uint64_t>(left, client.input().size());
            client.consume(static_cast<std::size_t>(part));
            left -= part;
        }
        return true;
    }

    // What stands behind a message: nothing, or the next message's arguments up to its "{n}". The client has sent it or
    // is about to: it belongs to the same command. False: the client is gone.
    static bool read_line(Session& session, std::string& text) {
        ClientStream& client = session.client();
        for (;;) {
            const std::string_view input = client.input();
            const auto lf = input.find('\n');
            if (lf != std::string_view::npos) {
                text = input.substr(0, lf);
                if (text.ends_with('\r')) text.pop_back();
                client.consume(lf + 1);
                return true;
            }
            if (input.size() > kTextLimit) {
                session.untagged("BYE Too long argument");
                session.end();
                return false;
            }
            if (!client.flush() || !client.read_blocking(kTextLimit + 1024, kInputTimeout)) return false;
        }
    }

    Reply commit(Session& session, SaveTransaction& save) {
        const SavedMessages saved = TRY_REPLY(save.commit(SaveTransaction::Uids::Durable));
        session.stats().appended += saved_;
        std::vector<std::uint32_t> uids;
        for (Uid uid : saved.uids) uids.push_back(uid.value);
        return Reply::ok(fmt::format("APPENDUID {} {}", saved.uid_validity, SequenceSet::of(uids).to_string()),
                         "Append completed.");
    }

    std::string mailbox_;
    SaveOptions options_;
    LiteralHeader literal_;
    std::size_t saved_ = 0;
};

}  // namespace

const CommandSpec kAppend = {"APPEND", States::Authenticated, Effects::Syncs | Effects::StreamsLiteral,
                             make_command<Append>};

}  // namespace culver
