// The text of a message as a person would read it, for searching: parts decoded, converted to UTF-8 and folded.
#pragma once

#include <string>
#include <string_view>

#include "lib-mail/mime-parser.h"

namespace culver {

// Looks for texts in one message after another. Memory is bounded whatever the size of the message.
class TextSearch {
public:
    // `needle`: UTF-8; folded here. An empty one is found everywhere.
    explicit TextSearch(std::string_view needle);

    bool in_value(std::string_view header_value) const;  // encoded words decoded
    // The fields of a header, "Name: value".
    bool in_header(std::string_view header) const;
    // Decoded bodies of all text parts; with headers also the header of the message and of every part.
    enum class Scope { Body, HeadersAndBody };
    bool in_message(std::string_view message, const MimeStructure& structure, Scope scope) const;

private:
    bool in_text(std::string_view utf8) const;
    bool in_part(std::string_view message, const MimePart& part) const;
    std::string needle_;
};

}  // namespace culver
