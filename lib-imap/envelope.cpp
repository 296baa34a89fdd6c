#include "lib-imap/envelope.h"

#include <optional>
#include <vector>

#include "lib-imap/writer.h"
#include "lib-mail/address.h"
#include "lib-mail/header-fields.h"

namespace culver {

namespace {

struct Envelope {
    std::optional<std::string> date, subject, in_reply_to, message_id;  // the last field of each name counts
    std::vector<Address> from, sender, reply_to, to, cc, bcc;           // all fields of one name together
};

void read_addresses(const HeaderField& field, std::vector<Address>& addresses) {
    parse_addresses(field.value(HeaderField::Folds::Kept), addresses);
}

Envelope read_envelope(std::string_view header) {
    Envelope envelope;
    HeaderReader reader(header);
    HeaderField field;
    while (reader.next(field)) {
        if (field.name.empty()) continue;
        switch (field.name[0] | 0x20) {
            case 'd':
                if (field.is("Date")) envelope.date = field.value();
                break;
            case 's':
                if (field.is("Subject")) envelope.subject = field.value(HeaderField::Folds::Kept);
                if (field.is("Sender")) read_addresses(field, envelope.sender);
                break;
            case 'f':
                if (field.is("From")) read_addresses(field, envelope.from);
                break;
            case 'r':
                if (field.is("Reply-To")) read_addresses(field, envelope.reply_to);
                break;
            case 't':
                if (field.is("To")) read_addresses(field, envelope.to);
                break;
            case 'c':
                if (field.is("Cc")) read_addresses(field, envelope.cc);
                break;
            case 'b':
                if (field.is("Bcc")) read_addresses(field, envelope.bcc);
                break;
            case 'i':
                if (field.is("In-Reply-To")) envelope.in_reply_to = field.value();
                break;
            case 'm':
                if (field.is("Message-ID")) envelope.message_id = field.value();
                break;
            default: break;
        }
    }
    return envelope;
}

void append_addresses(std::string& out, const std::vector<Address>& addresses) {
    if (addresses.empty()) {
        out += "NIL";
        return;
    }
    out += '(';
    for (const Address& address : addresses) {
        out += '(';
        if (address.name) append_human_string(out, *address.name);
        else out += "NIL";
        out += ' ';
        append_nstring(out, address.route);
        out += ' ';
        append_nstring(out, address.mailbox);
        out += ' ';
        append_nstring(out, address.domain);
        out += ')';
    }
    out += ')';
}

}  // namespace

void append_envelope(std::string& out, std::string_view header) {
    const Envelope envelope = read_envelope(header);
    out += '(';
    append_nstring(out, envelope.date);
    out += ' ';
    if (envelope.subject) append_human_string(out, *envelope.subject);
    else out += "NIL";
    // RFC 9051: a missing Sender or Reply-To is the From.
    const auto* sender = envelope.sender.empty() ? &envelope.from : &envelope.sender;
    const auto* reply_to = envelope.reply_to.empty() ? &envelope.from : &envelope.reply_to;
    for (const auto* list : {&envelope.from, sender, reply_to, &envelope.to, &envelope.cc, &envelope.bcc}) {
        out += ' ';
        append_addresses(out, *list);
    }
    out += ' ';
    append_nstring(out, envelope.in_reply_to);
    out += ' ';
    append_nstring(out, envelope.message_id);
    out += ')';
}

}  // namespace culver
