#include "lib-imap/body-structure.h"

#include "lib-base/text.h"
#include "lib-imap/envelope.h"
#include "lib-imap/writer.h"
#include "lib-mail/mime-fields.h"

namespace culver {

namespace {

// What stands in for the parts of a multipart that has none: a multipart must have one.
constexpr std::string_view kNoPartPlain = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";
constexpr std::string_view kNoPartExtended =
    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)";

class Renderer {
public:
    Renderer(std::string& out, std::string_view message, const MimeStructure& structure, BodyForm form)
        : out_(out), message_(message), structure_(structure), extended_(form == BodyForm::Extended) {}

    // Goes down to the first child, then on to the next sibling, then up: each part is opened and closed once.
    void run() {
        std::uint32_t part = 0;
        for (;;) {
            open(part);
            if (structure_[part].first_child != MimePart::kNone) {
                part = structure_[part].first_child;
                continue;
            }
            close(part);
            while (part != 0 && structure_[part].next_sibling == MimePart::kNone) {
                part = structure_[part].parent;
                close(part);
            }
            if (part == 0) return;
            part = structure_[part].next_sibling;
        }
    }

private:
    MimeFields fields_of(const MimePart& part) const {
        MimeFields fields = parse_mime_fields(part.header(message_), part.in_multipart);
        if (part.kind == MimePart::TooDeep) {
            fields.type = "application";
            fields.subtype = "octet-stream";
        } else if (!fields.has_type) {
            fields.type = part.kind == MimePart::Message ? "message" : "text";
            fields.subtype = part.kind == MimePart::Message ? "rfc822" : "plain";
        }
        return fields;
    }

    // What stands before the children.
    void open(std::uint32_t index) {
        const MimePart& part = structure_[index];
        out_ += '(';
        if (part.kind == MimePart::Multipart) {
            if (part.first_child == MimePart::kNone) out_ += extended_ ? kNoPartExtended : kNoPartPlain;
            return;
        }
        const MimeFields fields = fields_of(part);
        append_string(out_, fields.type);
        out_ += ' ';
        append_string(out_, fields.subtype);
        out_ += ' ';
        append_parameters(fields.parameters, part.kind == MimePart::Text);
        out_ += ' ';
        append_nstring(out_, fields.id);
        out_ += ' ';
        append_nstring(out_, fields.description);
        out_ += ' ';
        append_string(out_, fields.encoding.value_or("7bit"));
        out_ += ' ';
        append_number(out_, part.virtual_body_size());
        if (part.kind != MimePart::Message || part.first_child == MimePart::kNone) return;
        out_ += ' ';
        append_envelope(out_, structure_[part.first_child].header(message_));
        out_ += ' ';
    }

    // What stands behind them.
    void close(std::uint32_t index) {
        const MimePart& part = structure_[index];
        const MimeFields fields = extended_ || part.kind == MimePart::Multipart ? fields_of(part) : MimeFields();
        if (part.kind == MimePart::Multipart) {
            out_ += ' ';
            append_string(out_, fields.subtype);
            if (extended_) {
                out_ += ' ';
                append_parameters(fields.parameters, false);
                append_extensions(fields);
            }
            out_ += ')';
            return;
        }
        if (part.kind == MimePart::Text || part.kind == MimePart::Message) {
            out_ += ' ';
            append_number(out_, part.body_lines);
        }
        if (extended_) {
            out_ += ' ';
            append_nstring(out_, fields.md5);
            append_extensions(fields);
        }
        out_ += ')';
    }

    // A text without a charset is us-ascii.
    void append_parameters(const Parameters& parameters, bool default_charset) {
        default_charset = default_charset && !find_parameter(parameters, "charset");
        if (parameters.empty() && !default_charset) {
            out_ += "NIL";
            return;
        }
        out_ += '(';
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            if (i > 0) out_ += ' ';
            append_string(out_, parameters[i].first);
            out_ += ' ';
            append_string(out_, parameters[i].second);
        }
        if (default_charset) out_ += parameters.empty() ? "\"charset\" \"us-ascii\"" : " \"charset\" \"us-ascii\"";
        out_ += ')';
    }

    void append_extensions(const MimeFields& fields) {
        if (fields.disposition) {
            out_ += " (";
            append_string(out_, *fields.disposition);
            out_ += ' ';
            append_parameters(fields.disposition_parameters, false);
            out_ += ')';
        } else {
            out_ += " NIL";
        }
        out_ += fields.languages.empty() ? " NIL" : " (";
        for (std::size_t i = 0; i < fields.languages.size(); ++i) {
            if (i > 0) out_ += ' ';
            append_string(out_, fields.languages[i]);
        }
        out_ += fields.languages.empty() ? " " : ") ";
        append_nstring(out_, fields.location);
    }

    std::string& out_;
    std::string_view message_;
    const MimeStructure& structure_;
    bool extended_;
};

}  // namespace

void append_body_structure(std::string& out, std::string_view message, const MimeStructure& structure, BodyForm form) {
    Renderer(out, message, structure, form).run();
}

}  // namespace culver
