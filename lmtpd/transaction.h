// Transaction: what one MAIL to the end of its DATA gathers: sender, recipients, the message, the replies.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib-delivery/user-access.h"
#include "lib-smtp/command.h"
#include "lib-smtp/reply.h"
#include "lmtpd/message-buffer.h"

namespace culver {

struct Recipient {
    std::string shown;     // as replies and headers have it, without angle brackets
    std::string original;  // ORCPT; empty if none was given
    std::string detail;    // behind recipient_delimiter
    UserRecord user;
    WorkerIdentity identity;
    unsigned index = 1;                  // counts every RCPT that was looked up, the refused ones too
    std::optional<std::size_t> same_as;  // the earlier recipient with the same address: delivered once
    SmtpReply reply;
};

struct Transaction {
    std::string session;  // the connection's id with ":T2" from its second transaction on
    MailCommand mail;
    std::vector<Recipient> recipients;  // accepted ones, in their order
    unsigned asked = 0;                 // RCPTs looked up
    std::shared_ptr<MessageBuffer> message;
    std::string date;            // when the message began
    std::size_t unanswered = 0;  // deliveries under way

    // ":R2" from the second recipient on.
    std::string session_of(const Recipient& recipient) const;
};

// How the connection looks from outside, for headers.
struct ConnectionFacts {
    std::string hello, hostname, remote_ip;  // remote_ip empty over a UNIX socket
    bool tls = false;
};

// Return-Path, Delivered-To and Received for one recipient, with LF line ends. As Dovecot's, Delivered-To and `for` are
// left out when the message has several recipients.
std::string delivery_headers(const Transaction& transaction, const Recipient& recipient, const ConnectionFacts& facts,
                             const Settings& settings);

// The reply for one recipient when its delivery came to an end.
SmtpReply delivery_reply(const Transaction& transaction, const Recipient& recipient, bool saved, ErrorCode error,
                         const Settings& settings);

}  // namespace culver
