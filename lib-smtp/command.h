// One command line: its verb, and the parameters of MAIL and RCPT.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "lib-smtp/address.h"
#include "lib-smtp/limits.h"
#include "lib-smtp/reply.h"

namespace culver {

enum class SmtpVerb {
    Lhlo,
    Helo,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    StartTls,
    Auth,
    Xclient,
    Unknown
};

struct SmtpCommandLine {
    SmtpVerb verb = SmtpVerb::Unknown;
    std::string_view arguments;  // behind the one blank; trailing blanks removed
};

// Splits a line (without its end). Nothing if it is no command at all: a byte that is no UTF-8, a control byte, a verb
// that is not made of letters; the answer is then "500 5.5.2 Invalid command syntax".
std::optional<SmtpCommandLine> parse_command_line(std::string_view line);

enum class SmtpBody { SevenBit, EightBitMime };

struct MailCommand {
    SmtpAddress sender;                  // null for <>
    std::optional<std::uint64_t> size;   // RFC 1870
    SmtpBody body = SmtpBody::SevenBit;  // RFC 6152
    bool utf8 = false;                   // RFC 6531
    std::string ret;                     // RFC 3461 §4.3: "FULL", "HDRS" or empty
    std::string envelope_id;             // RFC 3461 §4.4, decoded
};

struct RcptCommand {
    SmtpAddress recipient;
    bool notify_given = false, notify_never = false, notify_success = false, notify_failure = false,
         notify_delay = false;
    std::string original_type;       // ORCPT (RFC 3461 §4.2): "rfc822"
    std::string original_recipient;  // decoded; empty if none was given
};

// `arguments` as they stand behind the verb: "FROM:<a@b> SIZE=100". The error is the whole reply (501 or 555).
std::expected<MailCommand, SmtpReply> parse_mail(std::string_view arguments, const SmtpLimits& limits);
std::expected<RcptCommand, SmtpReply> parse_rcpt(std::string_view arguments, const SmtpLimits& limits);

struct BdatCommand {
    std::uint64_t size = 0;
    bool last = false;
};
// RFC 3030 §2.
std::expected<BdatCommand, SmtpReply> parse_bdat(std::string_view arguments);

// xtext of RFC 3461 §4: "+2B" -> "+". Nothing on a byte that has to be encoded or a broken code.
std::optional<std::string> decode_xtext(std::string_view text);

}  // namespace culver
