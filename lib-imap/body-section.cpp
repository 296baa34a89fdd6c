#include "lib-imap/body-section.h"

#include "lib-base/text.h"
#include "lib-imap/parser.h"
#include "lib-imap/writer.h"
#include "lib-mail/header-fields.h"

namespace culver {

namespace {

using What = BodySection::What;

// Names in one HEADER.FIELDS: each field of a header is compared with each of them.
constexpr std::size_t kFieldLimit = 1000;

constexpr std::string_view kInvalidSection = "Invalid BODY[..] section";

// "1.2.TEXT": digits and dots first, then a word. False if it is no section.
bool parse_specification(std::string_view text, BodySection& section) {
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
        const std::size_t dot = text.find('.');
        const auto number = parse_uint32(text.substr(0, dot));
        if (!number || section.part.size() == 1000) return false;
        section.part.push_back(*number);
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
        if (text.empty()) return false;
    }
    if (text.empty()) section.what = What::All;
    else if (equals_ignore_case(text, "TEXT")) section.what = What::Text;
    else if (equals_ignore_case(text, "HEADER")) section.what = What::Header;
    else if (equals_ignore_case(text, "HEADER.FIELDS")) section.what = What::HeaderFields;
    else if (equals_ignore_case(text, "HEADER.FIELDS.NOT")) section.what = What::HeaderFieldsNot;
    else if (equals_ignore_case(text, "MIME") && !section.part.empty()) section.what = What::Mime;
    else return false;
    return true;
}

// "]" or "]<0.5>"
void parse_end(Parser& in, std::string_view text, BodySection& section) {
    const auto fail = [&](std::string_view what) { in.fail("Invalid BODY[..] parameter: " + std::string(what)); };
    if (!text.starts_with(']')) return fail("Missing ']'");
    text.remove_prefix(1);
    if (text.empty()) return;
    if (text[0] != '<') return fail("Unexpected data after ']'");
    if (!text.ends_with('>')) return fail("Missing '>' in partial");
    text = text.substr(1, text.size() - 2);
    const std::size_t dot = text.find('.');
    const auto from = parse_uint64(text.substr(0, dot));
    if (!from || *from > INT64_MAX) return fail("Too big partial start");
    section.partial = BodySection::Partial{*from, std::nullopt};
    if (dot == std::string_view::npos) return;
    section.partial->count = parse_uint64(text.substr(dot + 1));
    if (!section.partial->count) fail("Too big partial size");
}

// Walks from part to part by the numbers of a section. A part that is no multipart has one part, "1": itself, once.
class Walk {
public:
    explicit Walk(const MimeStructure& structure) : structure_(structure) {}

    bool step(std::uint32_t number) {
        const bool enters_message = stepped_once_ && here().kind == MimePart::Message;
        if (enters_message) part_ = here().first_child, itself_ = false;
        stepped_once_ = true;
        if (number == 0) return false;
        if (here().kind == MimePart::Multipart) {
            std::uint32_t child = here().first_child;
            for (; number > 1 && child != MimePart::kNone; --number) child = structure_[child].next_sibling;
            if (child == MimePart::kNone) return false;
            part_ = child;
            itself_ = false;
            return true;
        }
        if (number != 1 || itself_) return false;
        itself_ = true;
        return true;
    }
    std::uint32_t part() const { return part_; }

private:
    const MimePart& here() const { return structure_[part_]; }
    const MimeStructure& structure_;
    std::uint32_t part_ = 0;
    bool stepped_once_ = false, itself_ = false;
};

SectionRange header_of(const MimePart& part) { return {part.header_begin, part.header_size, part.header_bare, true}; }
SectionRange body_of(const MimePart& part) { return {part.body_begin(), part.body_size, part.body_bare, true}; }

}  // namespace

BodySection parse_body_section(Parser& in, std::string_view prefix) {
    BodySection section;
    std::string_view text = in.atom();
    if (!in.ok()) return section;
    text.remove_prefix(prefix.size());
    if (!text.starts_with('[')) {
        in.fail("Invalid BODY[..] parameter: Missing '['");
        return section;
    }
    text.remove_prefix(1);
    const std::string_view specification = text.substr(0, text.find(']'));
    const bool closed = specification.size() < text.size();
    if (!parse_specification(specification, section))
        in.fail(closed || in.next_is_list() ? kInvalidSection : "Invalid BODY[..] parameter: Missing ']'");
    section.label = "BODY[" + to_upper(specification);
    if (section.what == What::HeaderFields || section.what == What::HeaderFieldsNot) {
        if (closed || !in.next_is_list()) in.fail(kInvalidSection);
        section.fields = in.astrings(kInvalidSection);
        if (section.fields.empty()) in.fail(kInvalidSection);
        if (section.fields.size() > kFieldLimit) in.fail("Too many header fields");
        section.label += " (";
        for (std::size_t i = 0; i < section.fields.size(); ++i) {
            if (i > 0) section.label += ' ';
            append_astring(section.label, to_upper(section.fields[i]));
        }
        section.label += ')';
        text = in.peek_atom();
        if (text.starts_with(']')) in.atom();
        else text = {};
    } else {
        text.remove_prefix(specification.size());
    }
    if (in.ok()) parse_end(in, text, section);
    section.label += ']';
    if (section.partial) section.label += "<" + std::to_string(section.partial->from) + ">";
    return section;
}

SectionRange find_section(const MimeStructure& structure, const BodySection& section) {
    const MimePart& root = structure[0];
    if (section.part.empty()) {
        switch (section.what) {
            case What::All: return {0, root.header_size + root.body_size, root.header_bare + root.body_bare, true};
            case What::Text: return body_of(root);
            default: return header_of(root);
        }
    }
    Walk walk(structure);
    for (const std::uint32_t number : section.part)
        if (!walk.step(number)) return {};
    const MimePart& part = structure[walk.part()];
    if (section.what == What::All) return body_of(part);
    if (section.what == What::Mime) return header_of(part);
    // HEADER and TEXT are those of a message inside.
    if (part.kind != MimePart::Message || part.first_child == MimePart::kNone) return {};
    const MimePart& message = structure[part.first_child];
    return section.what == What::Text ? body_of(message) : header_of(message);
}

std::string_view message_header(std::string_view message) {
    std::size_t line = 0;
    for (;;) {
        const std::string_view rest = message.substr(line);
        if (rest.starts_with('\n')) return message.substr(0, line + 1);
        if (rest.starts_with("\r\n")) return message.substr(0, line + 2);
        const std::size_t lf = rest.find('\n');
        if (lf == std::string_view::npos) return message;
        line += lf + 1;
    }
}

std::string filter_header(std::string_view header, const BodySection& section) {
    const bool wanted = section.what == What::HeaderFields;
    std::string out;
    HeaderReader reader(header);
    HeaderField field;
    std::size_t read = 0;
    while (reader.next(field)) {
        read += field.lines.size();
        bool named = false;
        for (const std::string& name : section.fields) named = named || (!field.name.empty() && field.is(name));
        if (named == wanted) out.append(field.lines);
    }
    if (!wanted) return out.append(header.substr(read));  // the blank line, and what was beyond the limits
    if (!out.empty() && !out.ends_with('\n')) out += "\r\n";
    return out += "\r\n";
}

}  // namespace culver
