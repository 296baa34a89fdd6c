#include "lmtpd/transaction.h"

#include "lib-delivery/session-id.h"

namespace culver {

std::string Transaction::session_of(const Recipient& recipient) const {
    return recipient.index == 1 ? session : session + ":R" + std::to_string(recipient.index);
}

std::string delivery_headers(const Transaction& transaction, const Recipient& recipient, const ConnectionFacts& facts,
                             const Settings& settings) {
    const bool alone = transaction.recipients.size() == 1;
    const std::string sender = transaction.mail.sender.to_string();
    std::string out = "Return-Path: <" + sender + ">\n";
    const std::string& which = settings.string("lmtp_hdr_delivery_address");
    if (alone && which != "none")
        out += "Delivered-To: " +
               (which == "original" && !recipient.original.empty() ? recipient.original : recipient.shown) + "\n";
    if (!settings.boolean("lmtp_add_received_header")) return out;
    out += "Received: from " + (facts.hello.empty() ? "unknown" : facts.hello);
    if (!facts.remote_ip.empty())
        out += facts.remote_ip.find(':') == std::string::npos ? " ([" + facts.remote_ip + "])"
                                                              : " ([IPv6:" + facts.remote_ip + "])";
    out += "\n\tby " + facts.hostname + " with " + (facts.tls ? "LMTPS" : "LMTP");
    out += "\n\tid " + transaction.session;
    out += "\n\t(envelope-from <" + sender + ">)";
    if (alone) out += "\n\tfor <" + recipient.shown + ">";
    out += "; " + transaction.date + "\n";
    return out;
}

SmtpReply delivery_reply(const Transaction& transaction, const Recipient& recipient, bool saved, ErrorCode error,
                         const Settings& settings) {
    const std::string to = " <" + recipient.shown + "> ";
    if (saved) return {250, "2.0.0" + to + transaction.session_of(recipient) + " Saved"};
    switch (error) {
        case ErrorCode::OverQuota:
            if (settings.boolean("quota_full_tempfail"))
                return {452, "4.2.2" + to + "Quota exceeded (mailbox for user is full)"};
            return {552, "5.2.2" + to + "Quota exceeded (mailbox for user is full)"};
        case ErrorCode::NoSpace: return {452, "4.3.1" + to + "Not enough disk space"};
        case ErrorCode::Limit: return {451, "4.3.2" + to + "Too many deliveries at once"};
        default: return {451, "4.3.0" + to + "Temporary internal error"};
    }
}

}  // namespace culver
