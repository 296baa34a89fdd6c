#include "imapd/imap-session.h"

#include <fmt/format.h>

#include <exception>

#include "imapd/capability.h"
#include "imapd/session-log.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

constexpr std::chrono::minutes kIdleTimeout{30};
constexpr unsigned kBadCommandLimit = 20;
// So many commands of one session before the others have a turn.
constexpr unsigned kCommandsPerTurn = 64;
// Literals of commands other than APPEND, each and together (docs/limits.md).
constexpr std::uint64_t kLiteralLimit = 64 * 1024, kLiteralsLimit = 1024 * 1024;

std::uint64_t line_limit(const Settings& settings) { return settings.size("imap_max_line_length"); }

}  // namespace

ImapSession::ImapSession(UniqueFd fd, BlockingObserver* observer, SessionStart start, std::function<void()> waker)
    : client_(std::move(fd), observer),
      settings_(start.settings),
      stats_(std::make_unique<SessionStats>()),
      waker_(std::move(waker)),
      session_id_(start.session_id),
      username_(start.username),
      remote_ip_(start.remote_ip),
      scanner_(ScanLimits{line_limit(*start.settings), kLiteralLimit, kLiteralsLimit}) {
    log_prefix_ = session_log_prefix(*settings_, username_, session_id_, remote_ip_);
    start_ = std::make_unique<SessionStart>(std::move(start));
    last_input_ = last_command_end_ = Clock::now();
    deadline_ = last_input_ + kIdleTimeout;
}

ImapSession::~ImapSession() = default;

// The tagged reply of the login, and the user's mail. Dovecot's order: the client is logged in first, and hears of a
// mail directory that cannot be used in a BYE.
bool ImapSession::begin() {
    begun_ = true;
    const std::unique_ptr<SessionStart> start = std::move(start_);
    const std::string capability = capability_text(*settings_);
    std::string& text = client_.out();
    if (start->capability_sent)
        fmt::format_to(std::back_inserter(text), "* CAPABILITY {}\r\n{} OK Logged in\r\n", capability, start->tag);
    else fmt::format_to(std::back_inserter(text), "{} OK [CAPABILITY {}] Logged in\r\n", start->tag, capability);
    if (!start->pending_input.empty()) client_.prepend_input(std::move(start->pending_input));

    auto opened = start->open_user();
    if (opened) {
        user_ = std::move(*opened);
        return true;
    }
    const bool no_location = opened.error().detail.starts_with("mail_location not set");
    log_error(opened.error().detail +
              (no_location ? " (write mail_location = maildir:~/Maildir and, if the userdb gives no home, mail_home = "
                             "/var/vmail/%d/%n)"
                           : ""));
    say_bye("Internal error occurred. Refer to server log for more information.", opened.error().detail);
    return false;
}

ImapSession::Next ImapSession::work() {
    const LogPrefix prefix(log_prefix_);
    if (command_) command_parked_ += Clock::now() - parked_at_;
    if (!begun_) begin();
    unsigned turns = 0;
    bool more = true;
    while (more && !ended_ && !client_.is_gone() && turns++ < kCommandsPerTurn) {
        if (shutdown_requested_) {
            say_bye("Server shutting down.", "Server shutting down.");
            break;
        }
        more = guarded_step();
    }
    check_timeout();
    if (!ended_ && !client_.is_gone()) client_.flush();
    if (ended_ || client_.is_gone()) {
        if (!client_.is_gone()) client_.flush();
        command_.reset();
        selected_.reset();
        log_end();
        return Next::End;
    }
    if (more) {
        parked_at_ = Clock::now();
        return Next::Again;
    }
    client_.park();
    if (!command_) std::vector<std::string>().swap(keywords_);
    parked_at_ = Clock::now();
    return Next::Park;
}

// Memory that runs out in one command (vsz_limit) ends that session; the other sessions of the process go on.
bool ImapSession::guarded_step() {
    try {
        return step();
    } catch (const std::exception& error) {
        log_error(fmt::format("{}: {}; if memory ran out, raise vsz_limit of service imap", spec_ ? spec_->name : "-",
                              error.what()));
        say_bye("Internal error occurred. Refer to server log for more information.", "Internal error");
        return false;
    }
}

// One command, or one piece of a waiting one. False: nothing to do until something happens.
bool ImapSession::step() {
    if (command_) {
        const std::size_t before = client_.input().size();
        const bool arrived = client_.read_available(line_limit(*settings_));
        if (arrived) last_input_ = Clock::now();
        if (client_.is_gone()) return false;
        finish_command(command_->resume(*this));
        return !command_ || (arrived && client_.input().size() < before);
    }
    if (skip_input()) return true;
    const ScanResult found = scanner_.scan(client_.input());
    switch (found.kind) {
        case ScanResult::Kind::Complete:
            handle_line(client_.input().substr(0, found.text_length), found.length);
            return true;
        case ScanResult::Kind::NeedLiteral:
        case ScanResult::Kind::LiteralTooLarge: return handle_literal(found);
        case ScanResult::Kind::TooLong: {
            const CommandHead head = split_command(client_.input().substr(0, 1024));
            if (!head.tag_is_valid) bad("*", "Error in IMAP tag: Invalid tag");
            else bad(head.tag, fmt::format("Error in IMAP command {}: Too long argument", head.name));
            skip_line_ = true;
            return true;
        }
        case ScanResult::Kind::NeedLine: break;
    }
    // Everything that has been answered is sent before waiting; the limit leaves room for literals on top of the lines.
    if (!client_.flush()) return false;
    if (!client_.read_available(line_limit(*settings_) + kLiteralsLimit + 4096)) return false;
    last_input_ = Clock::now();
    return true;
}

// Throws away what was refused. True: something was done, come back.
bool ImapSession::skip_input() {
    if (skip_bytes_ == 0 && !skip_line_) return false;
    const std::string_view input = client_.input();
    if (skip_bytes_ > 0) {
        const std::uint64_t size = std::min<std::uint64_t>(skip_bytes_, input.size());
        client_.consume(static_cast<std::size_t>(size));
        skip_bytes_ -= size;
        if (size == 0) return client_.flush() && client_.read_available(kLiteralLimit);
        skip_line_ = skip_line_ || skip_bytes_ == 0;  // the rest of the command goes too
        return true;
    }
    const auto lf = input.find('\n');
    client_.consume(lf == std::string_view::npos ? input.size() : lf + 1);
    if (lf != std::string_view::npos) {
        skip_line_ = false;
        scanner_.reset();
        return true;
    }
    return client_.flush() && client_.read_available(kLiteralLimit);
}

// A literal is announced. APPEND reads its message itself; others get it into the buffer.
bool ImapSession::handle_literal(const ScanResult& found) {
    const std::string_view text = client_.input().substr(0, found.text_length);
    const CommandHead head = split_command(text);
    const CommandSpec* spec = head.error.empty() ? find_command(head.name) : nullptr;
    const bool first_argument =
        trim(head.arguments).starts_with('{') && head.arguments.find('}') + 1 == head.arguments.size();
    if (spec && (spec->effects & Effects::StreamsLiteral) && !first_argument) {
        std::string copy(text);
        client_.consume(found.length);
        scanner_.reset();
        literal_unread_ = true;
        start_command(split_command(copy), *spec);
        if (literal_unread_ && !found.synchronising) return skip_literal(found.literal_size);
        return true;
    }
    if (spec && found.kind == ScanResult::Kind::NeedLiteral) {
        if (found.synchronising) client_.out().append("+ OK\r\n");
        scanner_.accept_literal();
        return true;
    }
    // Refused. A client that waits for "+" sends nothing more of it; one that does not is heard out if that is short.
    if (!head.tag_is_valid) bad("*", "Error in IMAP tag: Invalid tag");
    else if (!head.error.empty()) bad(head.tag, fmt::format("Error in IMAP command: {}", head.error));
    else if (!spec) bad(head.tag, fmt::format("Error in IMAP command {}: Unknown command", head.name));
    else if (found.synchronising || found.literal_size <= kLiteralsLimit)
        bad(head.tag, "Literal size too large", "TOOBIG");
    client_.consume(found.length);
    scanner_.reset();
    return found.synchronising || skip_literal(found.literal_size);
}

// A refused command's literal comes all the same (LITERAL+), and then the rest of its line. False: the session ends.
bool ImapSession::skip_literal(std::uint64_t size) {
    if (size > kLiteralsLimit) {
        say_bye("Literal size too large", "Literal size too large");
        return false;
    }
    skip_bytes_ = size;
    skip_line_ = size == 0;
    return true;
}

void ImapSession::handle_line(std::string_view line, std::size_t length) {
    std::string text(line);
    client_.consume(length);
    scanner_.reset();
    const CommandHead head = split_command(text);
    if (!head.tag_is_valid) return bad("*", "Error in IMAP tag: Invalid tag");
    if (!head.error.empty()) return bad(head.tag, fmt::format("Error in IMAP command: {}", head.error));
    const CommandSpec* spec = find_command(head.name);
    if (!spec) return bad(head.tag, fmt::format("Error in IMAP command {}: Unknown command", head.name));
    start_command(head, *spec);
}

void ImapSession::start_command(const CommandHead& head, const CommandSpec& spec) {
    tag_ = head.tag;
    spec_ = &spec;
    command_begin_ = Clock::now();
    command_waited_ = command_parked_ = {};
    client_.take_waited();
    command_ = spec.make();
    if ((spec.effects & Effects::ClosesMailbox) && selected_) {
        unselect();
        untagged("OK [CLOSED] Previous mailbox closed.");
    }
    if (spec.states == States::Selected && !selected_) return finish_command(Reply::bad("No mailbox selected"));
    if (spec.effects & Effects::IgnoresArguments) {
        Parser nothing("");
        return run_command(nothing);
    }
    Parser arguments(head.arguments);
    run_command(arguments);
}

void ImapSession::run_command(Parser& arguments) {
    command_->parse(arguments);
    if (!arguments.ok()) {
        const ParseError& error = arguments.error();
        if (error.kind == ParseError::Kind::No) return finish_command(Reply::no(error.code, error.text));
        return finish_command(Reply::invalid(error.text));
    }
    literal_unread_ = false;
    finish_command(command_->run(*this));
}

void ImapSession::finish_command(Reply result) {
    if (result.kind == Reply::Kind::Wait) {
        deadline_ = Clock::now() + result.at_most;
        return;
    }
    const std::unique_ptr<Command> done = std::move(command_);
    if (result.kind == Reply::Kind::Close) {
        ended_ = true;
        return;
    }
    const bool failed = result.kind == Reply::Kind::Bad || result.kind == Reply::Kind::Invalid;
    if ((spec_->effects & Effects::Syncs) && selected_ && !failed && !client_.is_gone()) {
        if (auto synced = sync(expunge_policy()); !synced) {
            if (synced.error().code == ErrorCode::NotFound)
                return say_bye("Selected mailbox was deleted, have to disconnect.", "Selected mailbox was deleted");
            const Reply trouble = Reply::from(synced.error());
            if (result.kind == Reply::Kind::Ok) result = trouble;
        }
    }
    last_command_ = spec_->name;
    reply(tag_, result, spec_->name);
}

// RFC 3501 §5.5 and §7.4.1.
MailboxView::Expunges ImapSession::expunge_policy() const {
    if (spec_->effects & Effects::HoldsExpunges) return MailboxView::Expunges::Hold;
    const std::string_view next = client_.input();
    if (next.empty()) return MailboxView::Expunges::Report;
    const CommandHead head = split_command(next.substr(0, next.find_first_of("\r\n")));
    const CommandSpec* spec = head.error.empty() ? find_command(head.name) : nullptr;
    return spec && (spec->effects & Effects::UsesSeqs) ? MailboxView::Expunges::Hold : MailboxView::Expunges::Report;
}

void ImapSession::bad(std::string_view tag, std::string_view text, std::string_view code) {
    command_begin_ = Clock::now();
    command_waited_ = command_parked_ = {};
    reply(tag, {Reply::Kind::Bad, std::string(code), std::string(text)}, {});
}

void ImapSession::reply(std::string_view tag, const Reply& result, std::string_view command) {
    const bool is_bad = result.kind == Reply::Kind::Bad || result.kind == Reply::Kind::Invalid;
    bad_commands_ = is_bad ? bad_commands_ + 1 : 0;
    if (bad_commands_ > kBadCommandLimit)
        return say_bye("Too many invalid IMAP commands.", "Too many invalid IMAP commands.");

    const auto now = Clock::now();
    command_waited_ += client_.take_waited();
    std::string& out = client_.out();
    out.append(tag).append(result.kind == Reply::Kind::Ok ? " OK " : result.kind == Reply::Kind::No ? " NO " : " BAD ");
    if (!result.code.empty()) out.append("[").append(result.code).append("] ");
    if (result.kind == Reply::Kind::Invalid) out.append("Error in IMAP command ").append(command).append(": ");
    std::string_view text = result.text;
    if (text.ends_with('.')) text.remove_suffix(1);
    out.append(text);
    append_timing(out, now - command_begin_, command_waited_, command_parked_);
    out.append("\r\n");
    client_.flush_if_large();
    last_command_end_ = now;
    deadline_ = now + kIdleTimeout;
}

void ImapSession::check_timeout() {
    if (ended_ || client_.is_gone() || command_) return;
    deadline_ = std::max(last_input_, last_command_end_) + kIdleTimeout;
    if (Clock::now() < deadline_) return;
    say_bye("Disconnected for inactivity.", "Inactivity");
}

void ImapSession::say_bye(std::string_view text, std::string_view log_text) {
    client_.out().append("* BYE ").append(text).append("\r\n");
    end_reason_ = "Disconnected: " + std::string(log_text);
    ended_ = true;
}

std::string ImapSession::end_reason() const {
    if (!end_reason_.empty()) return end_reason_;
    if (ended_) return "Disconnected: Logged out";
    switch (client_.gone()) {
        case ClientStream::Gone::OutputTimeout: return "Disconnected: Inactivity in reading our output";
        case ClientStream::Gone::InputTimeout: return "Disconnected: Inactivity";
        default: break;
    }
    const std::string cause = client_.gone_reason().empty() ? "" : ": " + client_.gone_reason();
    if (spec_ && last_command_.data() != spec_->name.data())
        return fmt::format("Disconnected: Connection closed{} ({} running)", cause, spec_->name);
    if (last_command_.empty()) return fmt::format("Disconnected: Connection closed{} (No commands sent)", cause);
    const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - last_command_end_).count();
    return fmt::format("Disconnected: Connection closed{} ({} finished {}.{:03} secs ago)", cause, last_command_,
                       ago / 1000, ago % 1000);
}

void ImapSession::log_end() {
    log_info(end_reason() + " " + logout_statistics(*settings_, *stats_, client_.bytes_in(), client_.bytes_out()));
}

}  // namespace culver
