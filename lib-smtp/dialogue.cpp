#include "lib-smtp/dialogue.h"

#include <algorithm>

#include "lib-base/assert.h"
#include "lib-base/text.h"

namespace culver {

SmtpDialogue::SmtpDialogue(const SmtpDialogueOptions& options, SmtpHandler& handler)
    : options_(options), handler_(handler) {}

const char* SmtpDialogue::hello_verb() const {
    return options_.protocol == SmtpDialogueOptions::Protocol::Lmtp ? "LHLO" : "EHLO";
}

void SmtpDialogue::greet() { reply(220, options_.hostname + " " + options_.greeting); }

bool SmtpDialogue::wants_input() const {
    return !closed_ && waiting_ == Waiting::No && output_.size() < options_.limits.output;
}

bool SmtpDialogue::is_idle() const { return mode_ == Mode::Command && waiting_ == Waiting::No && !has_mail_; }

std::string SmtpDialogue::take_output() {
    std::string taken = std::move(output_);
    output_.clear();
    if (!input_.empty()) work();
    return taken;
}

void SmtpDialogue::feed(std::string_view bytes) {
    if (closed_) return;
    if (!input_.empty() || working_) {
        input_.append(bytes);
        return work();
    }
    // Nothing waits: a message is worked on where it lies, and only a rest is kept.
    working_ = true;
    work_on(bytes);
    working_ = false;
    input_.assign(bytes);
}

void SmtpDialogue::work() {
    if (working_) return;
    working_ = true;
    std::string_view in = input_;
    work_on(in);
    input_.erase(0, input_.size() - in.size());
    if (input_.empty()) input_.shrink_to_fit();
    working_ = false;
}

// The loop over everything that has come in. Handlers may answer at once, from inside; then the loop just goes on.
void SmtpDialogue::work_on(std::string_view& in) {
    while (!in.empty() && wants_input()) {
        if (mode_ == Mode::Data) work_data(in);
        else if (mode_ == Mode::Chunk) work_chunk(in);
        else if (!work_command(in)) break;
    }
    if (closed_) in = {};
}

bool SmtpDialogue::work_command(std::string_view& in) {
    const auto newline = in.find('\n');
    if (skipping_line_) {
        in.remove_prefix(newline == std::string_view::npos ? in.size() : newline + 1);
        skipping_line_ = newline == std::string_view::npos;
        return true;
    }
    std::string_view line = in.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > options_.limits.command_line) {
        skipping_line_ = true;
        reply(500, "5.5.2 Line too long");
        return true;
    }
    if (newline == std::string_view::npos) return false;
    in.remove_prefix(newline + 1);
    run_line(line);
    return true;
}

void SmtpDialogue::run_line(std::string_view line) {
    const auto command = parse_command_line(line);
    if (!command) return reply(500, "5.5.2 Invalid command syntax");
    run(*command);
}

// Policy in one place: which commands take no arguments, and which may come while a message arrives by BDAT.
void SmtpDialogue::run(const SmtpCommandLine& command) {
    const bool lmtp = options_.protocol == SmtpDialogueOptions::Protocol::Lmtp;
    const std::string_view arguments = command.arguments;
    switch (command.verb) {
        case SmtpVerb::Lhlo: return lmtp ? run_hello(command) : reply(500, "5.5.1 Unknown command");
        case SmtpVerb::Ehlo:
        case SmtpVerb::Helo: return lmtp ? reply(500, "5.5.1 Unknown command") : run_hello(command);
        case SmtpVerb::Mail: return run_mail(arguments);
        case SmtpVerb::Rcpt: return run_rcpt(arguments);
        case SmtpVerb::Data: return run_data(arguments);
        case SmtpVerb::Bdat: return run_bdat(arguments);
        case SmtpVerb::Noop: return run_noop(arguments);
        case SmtpVerb::StartTls: return run_starttls(arguments);
        case SmtpVerb::Vrfy:
            if (arguments.empty()) return reply(501, "5.5.4 Invalid parameters");
            return reply(252, "2.3.3 Try RCPT instead");
        case SmtpVerb::Rset:
            if (!arguments.empty()) return reply(501, "5.5.4 Invalid parameters");
            reset_transaction();
            return reply(250, "2.0.0 OK");
        case SmtpVerb::Quit:
            if (!arguments.empty()) return reply(501, "5.5.4 Invalid parameters");
            return close({221, "2.0.0 Bye"}, "Logged out");
        case SmtpVerb::Auth: return reply(502, "5.5.1 Unsupported command");
        case SmtpVerb::Xclient: return reply(550, "5.7.14 You are not from trusted IP");
        case SmtpVerb::Help:
        case SmtpVerb::Unknown: return reply(500, "5.5.1 Unknown command");
    }
}

void SmtpDialogue::run_hello(const SmtpCommandLine& command) {
    if (command.arguments.empty()) return reply(501, "Missing hostname");
    std::string_view name = command.arguments.substr(0, command.arguments.find(' '));
    if (name.size() > options_.limits.hello_name) return reply(501, "5.5.4 Invalid parameters: Hostname is too long");
    reset_transaction();
    greeted_ = true;
    handler_.hello(name);
    std::string text = options_.hostname;
    if (command.verb != SmtpVerb::Helo) {
        text += "\n8BITMIME\nCHUNKING\nENHANCEDSTATUSCODES\nPIPELINING\nSIZE " +
                std::to_string(options_.limits.message) + "\nSMTPUTF8";
        if (options_.offer_starttls) text += "\nSTARTTLS";
    }
    reply(250, std::move(text));
}

void SmtpDialogue::run_mail(std::string_view arguments) {
    if (has_mail_) return reply(503, "5.5.0 MAIL already given");
    auto mail = parse_mail(arguments, options_.limits);
    if (!mail) return reply(mail.error());
    if (mail->size && *mail->size > options_.limits.message)
        return reply(552, "5.3.4 Message size exceeds fixed limit");
    SmtpReply answer = handler_.mail(std::move(*mail));
    has_mail_ = answer.is_positive();
    greeted_ = true;
    reply(answer);
}

void SmtpDialogue::run_rcpt(std::string_view arguments) {
    if (!has_mail_) return reply(503, "5.5.0 MAIL needed first");
    if (chunking_ || chunks_failed_) return reply(503, "5.5.0 Bad sequence of commands");
    auto rcpt = parse_rcpt(arguments, options_.limits);
    if (!rcpt) return reply(rcpt.error());
    // Refused ones cost a lookup each, so they are counted too, ten times as generously.
    if (recipients_ >= options_.limits.recipients || recipients_asked_ >= 10 * options_.limits.recipients)
        return reply(452, "4.5.3 Too many recipients");
    ++recipients_asked_;
    waiting_ = Waiting::Recipient;
    handler_.recipient(std::move(*rcpt));
}

void SmtpDialogue::finish_recipient(const SmtpReply& answer) {
    ASSERT(closed_ || waiting_ == Waiting::Recipient);
    if (closed_) return;
    waiting_ = Waiting::No;
    if (answer.is_positive()) ++recipients_;
    reply(answer);
    work();
}

void SmtpDialogue::run_data(std::string_view arguments) {
    if (!arguments.empty()) return reply(501, "5.5.4 Invalid parameters");
    if (!has_mail_) return reply(503, "5.5.0 MAIL needed first");
    if (chunking_ || chunks_failed_) return reply(503, "5.5.0 Bad sequence of commands");
    if (recipients_ == 0) return reply(503, "5.5.0 No valid recipients");
    begin_message();
    receiver_ = {};
    mode_ = Mode::Data;
    reply(354, "OK");
}

// A chunk whose size is known is skipped even if it cannot be accepted, so that its bytes are never taken for commands.
void SmtpDialogue::run_bdat(std::string_view arguments) {
    auto bdat = parse_bdat(arguments);
    if (!bdat) {
        chunks_failed_ = has_mail_;
        return reply(bdat.error());
    }
    chunk_discarded_ = true;
    if (!has_mail_) chunk_reply_ = {503, "5.5.0 MAIL needed first"};
    else if (chunks_failed_) chunk_reply_ = {503, "5.5.0 Previous data chunk failed, issue RSET first"};
    else if (recipients_ == 0) chunk_reply_ = {503, "5.5.0 No valid recipients"};
    else chunk_discarded_ = false;
    if (bdat->size > options_.limits.message)
        return close({552, "5.3.4 Chunk size exceeds fixed limit"}, "Too large data chunk");
    if (!chunk_discarded_ && !chunking_) {
        begin_message();
        chunking_ = true;
    }
    chunk_left_ = chunk_size_ = bdat->size;
    chunk_last_ = bdat->last;
    mode_ = Mode::Chunk;
    if (chunk_left_ == 0) end_chunk();
}

void SmtpDialogue::run_noop(std::string_view arguments) {
    if (arguments.find(' ') != std::string_view::npos)
        return reply(501, "5.5.4 Invalid string parameter: Invalid character in string");
    reply(250, "2.0.0 OK");
}

void SmtpDialogue::run_starttls(std::string_view arguments) {
    if (!options_.offer_starttls) return reply(502, "5.5.1 TLS support isn't enabled.");
    if (!arguments.empty()) return reply(501, "5.5.4 Invalid parameters");
    reset_transaction();
    waiting_ = Waiting::Tls;
    reply(220, "2.0.0 Begin TLS negotiation now.");
    handler_.start_tls();
}

void SmtpDialogue::restart_after_tls() {
    reset_transaction();
    waiting_ = Waiting::No;
    greeted_ = false;
    input_.clear();
}

void SmtpDialogue::work_data(std::string_view& in) {
    const auto taken = receiver_.feed(in, [this](std::string_view bytes) { receive(bytes); });
    in.remove_prefix(taken);
    if (closed_ || !receiver_.is_finished()) return;
    mode_ = Mode::Command;
    end_message();
}

void SmtpDialogue::work_chunk(std::string_view& in) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, in.size()));
    if (!chunk_discarded_) receive(in.substr(0, size));
    in.remove_prefix(size);
    chunk_left_ -= size;
    if (!closed_ && chunk_left_ == 0) end_chunk();
}

void SmtpDialogue::end_chunk() {
    mode_ = Mode::Command;
    if (chunk_discarded_) return reply(chunk_reply_);
    if (chunk_last_) {
        chunking_ = false;
        return end_message();
    }
    if (too_large_) {
        chunks_failed_ = true;
        chunking_ = false;
        return reply(552, "5.3.4 Message size exceeds fixed limit");
    }
    reply(250, "2.0.0 Added " + std::to_string(chunk_size_) + " octets");
}

void SmtpDialogue::begin_message() {
    receiving_ = true;
    too_large_ = false;
    received_ = 0;
    handler_.message_begin();
}

void SmtpDialogue::receive(std::string_view bytes) {
    received_ += bytes.size();
    if (received_ > options_.limits.message) {
        too_large_ = true;
        // A client that does not stop is not listened to for ever.
        if (received_ > 2 * options_.limits.message && !closed_)
            close({552, "5.3.4 Message size exceeds fixed limit"}, "Too large message");
        return;
    }
    handler_.message_data(bytes);
}

void SmtpDialogue::end_message() {
    receiving_ = false;
    waiting_ = Waiting::Data;
    handler_.message_end(too_large_ ? MessageOutcome::TooLarge : MessageOutcome::Complete);
}

void SmtpDialogue::finish_data(const std::vector<SmtpReply>& replies) {
    ASSERT(closed_ || waiting_ == Waiting::Data);
    if (closed_) return;
    waiting_ = Waiting::No;
    reset_transaction();
    for (const SmtpReply& answer : replies) {
        if (answer.is_positive()) bad_commands_ = 0;
        answer.append_to(output_);
    }
    work();
}

void SmtpDialogue::reset_transaction() {
    const bool had_mail = has_mail_;
    has_mail_ = receiving_ = too_large_ = chunking_ = chunks_failed_ = false;
    recipients_ = recipients_asked_ = 0;
    received_ = 0;
    if (had_mail) handler_.reset();
}

void SmtpDialogue::reply(const SmtpReply& answer) {
    if (closed_) return;
    switch (answer.code) {
        case 500:
        case 501:
        case 502:
        case 503:
        case 555:
            if (++bad_commands_ > options_.limits.bad_commands)
                return close({421, "4.7.0 " + options_.hostname + " Too many invalid commands."},
                             "Too many invalid commands.");
            break;
        default: break;
    }
    answer.append_to(output_);
}

void SmtpDialogue::close(const SmtpReply& answer, std::string reason) {
    if (closed_) return;
    answer.append_to(output_);
    // Before the transaction is forgotten: the log names what was left unfinished.
    close_state_ = state_name();
    close_reason_ = std::move(reason) + std::string(unfinished());
    const bool quit = answer.code == 221;
    if (quit || waiting_ != Waiting::Data) reset_transaction();
    closed_ = true;
    mode_ = Mode::Command;
}

std::string_view SmtpDialogue::state_name() const {
    if (closed_) return close_state_;
    if (receiving_ || chunking_ || waiting_ == Waiting::Data) return "DATA";
    if (recipients_ > 0) return "RCPT TO";
    if (has_mail_) return "MAIL FROM";
    return greeted_ ? "READY" : "GREETING";
}

std::string_view SmtpDialogue::unfinished() const {
    if (mode_ == Mode::Data || (waiting_ == Waiting::Data && !chunking_)) return " (unfinished DATA command)";
    if (mode_ == Mode::Chunk) return " (unfinished BDAT command)";
    return {};
}

}  // namespace culver
