// The end of every delivery, by LMTP or by dovecot-lda: choose the mailbox, save the message, say so in the log.
#pragma once

#include <cstdint>
#include <string>

#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-delivery/message-source.h"
#include "lib-storage/mail-user.h"

namespace culver {

struct DeliveryOrder {
    std::string mailbox = "INBOX";  // UTF-8; falls back to INBOX if it cannot be opened
    std::string prepend;            // header lines to stand before the message, with LF or CRLF
    std::string sender;             // envelope sender, for the log
    std::string recipient;          // final envelope recipient, for the log
    std::string session;
};

// Saves one message and logs "msgid=<..>: saved mail to INBOX" (deliver_log_format) or "...: save failed to INBOX:
// why". On success the message survives a power cut. On failure nothing of it is left. `settings` is the user's view of
// the configuration. Thread-safe as far as `user` is.
Status deliver(MailUser& user, const Settings& settings, const DeliveryOrder& order, MessageSource& message);

}  // namespace culver
