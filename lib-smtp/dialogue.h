// SmtpDialogue: the server's side of one SMTP or LMTP connection, without any I/O.
//
// Bytes go in by feed(), replies come out of take_output(); what a server does with senders, recipients and messages is
// its SmtpHandler's. A handler that needs time (a lookup, a delivery) answers later with finish_recipient or
// finish_data; until then the dialogue takes no further command, so that replies keep their order whatever the client
// pipelined. One thread at a time. RFC 5321, RFC 2033 (LMTP), RFC 3030 (BDAT), RFC 2920 (pipelining).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib-smtp/command.h"
#include "lib-smtp/data-receiver.h"
#include "lib-smtp/limits.h"
#include "lib-smtp/reply.h"

namespace culver {

enum class MessageOutcome {
    Complete,
    TooLarge,  // more bytes came than SmtpLimits::message; the rest was skipped
};

class SmtpHandler {
public:
    virtual ~SmtpHandler() = default;
    // LHLO or EHLO; an open transaction was reset before.
    virtual void hello(std::string_view name) = 0;
    // A transaction begins if the reply is positive.
    virtual SmtpReply mail(MailCommand&& command) = 0;
    // Answer with SmtpDialogue::finish_recipient, now or later.
    virtual void recipient(RcptCommand&& command) = 0;
    // The message begins, is received in pieces, and is complete. Answer message_end with SmtpDialogue::finish_data,
    // now or later: one reply per accepted recipient for LMTP, one in all for SMTP.
    virtual void message_begin() = 0;
    virtual void message_data(std::string_view bytes) = 0;
    virtual void message_end(MessageOutcome outcome) = 0;
    // The transaction is over, finished or not. Called for each mail() that was accepted, exactly once.
    virtual void reset() = 0;
    // "220 Begin TLS" lies in the output: when the client has it, its TLS handshake begins.
    virtual void start_tls() = 0;
};

struct SmtpDialogueOptions {
    enum class Protocol { Lmtp, Smtp } protocol = Protocol::Lmtp;
    std::string hostname, greeting;
    bool offer_starttls = false;
    SmtpLimits limits;
};

class SmtpDialogue {
public:
    // Both outlive the dialogue.
    SmtpDialogue(const SmtpDialogueOptions& options, SmtpHandler& handler);

    // The first line of the server, "220 host greeting".
    void greet();
    // What the client sent. Kept inside as far as it cannot be worked on now; so read no more while !wants_input().
    void feed(std::string_view bytes);
    // Replies not yet taken. Work that waited for them to be taken goes on.
    std::string take_output();
    bool has_output() const { return !output_.empty(); }
    // False while a handler's answer is awaited, too many replies wait to be taken, or the dialogue is over.
    bool wants_input() const;
    // Nothing more will come: send the output, then close.
    bool is_closed() const { return closed_; }
    // Why, in the words of Dovecot's log: "Logged out", "Too many invalid commands.", ...
    const std::string& close_reason() const { return close_reason_; }

    void finish_recipient(const SmtpReply& reply);
    void finish_data(const std::vector<SmtpReply>& replies);
    // The server ends the connection itself (shutdown, time-out): a last reply, and nothing after it. A running
    // delivery's answer is not waited for.
    void close(const SmtpReply& reply, std::string reason);

    // True between message_end and finish_data: the message may be on its way to a mailbox already.
    bool is_delivering() const { return waiting_ == Waiting::Data; }
    bool is_receiving_message() const { return mode_ != Mode::Command; }
    bool is_idle() const;  // no transaction, nothing awaited: may be closed without loss
    // GREETING, READY, MAIL FROM, RCPT TO, DATA.
    std::string_view state_name() const;
    // " (unfinished DATA command)", " (unfinished BDAT command)" or empty.
    std::string_view unfinished() const;
    // After the TLS handshake: everything the client said before is forgotten (RFC 3207 §4.2).
    void restart_after_tls();
    // True if the client sent anything behind STARTTLS in the clear; such a connection is closed.
    bool has_unread_input() const { return !input_.empty(); }

private:
    enum class Mode { Command, Data, Chunk };
    enum class Waiting { No, Recipient, Data, Tls };

    void work();
    void work_on(std::string_view& in);
    // Each takes bytes from the front of `in`; false if it needs more.
    bool work_command(std::string_view& in);
    void work_data(std::string_view& in);
    void work_chunk(std::string_view& in);

    void run_line(std::string_view line);
    void run(const SmtpCommandLine& command);
    void run_hello(const SmtpCommandLine& command);
    void run_mail(std::string_view arguments);
    void run_rcpt(std::string_view arguments);
    void run_data(std::string_view arguments);
    void run_bdat(std::string_view arguments);
    void run_noop(std::string_view arguments);
    void run_starttls(std::string_view arguments);

    void reply(const SmtpReply& reply);
    void reply(unsigned code, std::string text) { reply(SmtpReply{code, std::move(text)}); }
    void receive(std::string_view bytes);
    void begin_message();
    void end_message();
    void end_chunk();
    void reset_transaction();
    const char* hello_verb() const;

    const SmtpDialogueOptions& options_;
    SmtpHandler& handler_;
    std::string input_, output_;
    Mode mode_ = Mode::Command;
    Waiting waiting_ = Waiting::No;
    bool working_ = false, closed_ = false;
    std::string close_reason_;
    std::string_view close_state_;  // state_name() when it was closed

    bool greeted_ = false;
    bool skipping_line_ = false;  // the rest of a line that was too long
    std::uint32_t bad_commands_ = 0;

    // The transaction.
    bool has_mail_ = false;
    std::uint32_t recipients_ = 0;  // accepted
    std::uint32_t recipients_asked_ = 0;
    DataReceiver receiver_;
    bool receiving_ = false;  // message_begin was called
    bool too_large_ = false;
    std::uint64_t received_ = 0;
    // BDAT: what is left of this chunk, and what becomes of it.
    std::uint64_t chunk_left_ = 0, chunk_size_ = 0;
    bool chunk_last_ = false, chunk_discarded_ = false;
    bool chunks_failed_ = false;  // until RSET
    bool chunking_ = false;       // the message comes by BDAT
    SmtpReply chunk_reply_;
};

}  // namespace culver
