// BODY[section]<partial> of FETCH: its grammar, and the bytes that it names. RFC 9051 §6.4.5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-mail/mime-parser.h"

namespace culver {

class Parser;

struct BodySection {
    enum class What : std::uint8_t { All, Header, HeaderFields, HeaderFieldsNot, Text, Mime };

    std::vector<std::uint32_t> part;  // "1.2"; empty for the message itself
    What what = What::All;
    std::vector<std::string> fields;  // as spelled
    struct Partial {
        std::uint64_t from = 0;
        std::optional<std::uint64_t> count;
    };
    std::optional<Partial> partial;
    std::string label;  // what stands before the bytes: "BODY[1.TEXT]<0>"
};

// Reads a section from the parser, whose next argument is the atom beginning with `prefix` ("BODY" or "BODY.PEEK") and
// holding the "[". Errors in Dovecot's words. The label begins with "BODY".
BodySection parse_body_section(Parser& in, std::string_view prefix);

// Where the bytes of a section lie in the stored message; empty if there is no such part. For HeaderFields and
// HeaderFieldsNot it is the header to be filtered.
struct SectionRange {
    std::uint64_t begin = 0, size = 0;
    std::uint64_t bare = 0;  // the CRLF form is so much longer
    bool found = false;
    std::string_view of(std::string_view message) const { return message.substr(begin, size); }
};
SectionRange find_section(const MimeStructure& structure, const BodySection& section);

// A message's own header: everything up to and including the first blank line.
std::string_view message_header(std::string_view message);

// Only the fields named (HeaderFields) or all others (HeaderFieldsNot), as stored, in the order of the header. With
// HeaderFields a blank line ends it in any case.
std::string filter_header(std::string_view header, const BodySection& section);

}  // namespace culver
