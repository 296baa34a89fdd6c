// BODY and BODYSTRUCTURE of a message, byte for byte as Dovecot sends them. RFC 9051 §7.5.2.
#pragma once

#include <string>
#include <string_view>

#include "lib-mail/mime-parser.h"

namespace culver {

enum class BodyForm {
    Plain,     // BODY
    Extended,  // BODYSTRUCTURE
};

// Appends the parenthesised structure. `structure` was parsed from `message`. No recursion.
void append_body_structure(std::string& out, std::string_view message, const MimeStructure& structure, BodyForm form);

}  // namespace culver
