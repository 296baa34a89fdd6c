// The MIME fields of one part's header: type, parameters, encoding, disposition and the rest of what BODYSTRUCTURE
// shows. RFC 2045, 2183, 2231, 3066, 2557. Broken fields come out as Dovecot shows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace culver {

inline constexpr std::size_t kParameterLimit = 128;  // per field; the rest is ignored

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct MimeFields {
    bool has_type = false;      // there is a Content-Type; the first one counts
    bool is_mime = false;       // Content-Type or MIME-Version is there: without them a message has no MIME fields
    std::string type, subtype;  // as spelled; both empty if the field is broken
    Parameters parameters;      // continuations joined ("name*0", "name*1*"), values of RFC 2231 not decoded
    std::optional<std::string> id, description, encoding, md5, disposition, location;
    Parameters disposition_parameters;
    std::vector<std::string> languages;
};

// `header`: the part's header. `in_multipart`: the part lies in a multipart, where MIME fields need no announcement.
MimeFields parse_mime_fields(std::string_view header, bool in_multipart);

// Only "type/subtype" and the parameters, from a field value.
void parse_content_type(std::string_view value, MimeFields& fields);
// The parameters of a value whose reader stands behind the main word are parsed like this: RFC 2231 joined.
class Rfc822Reader;
Parameters parse_parameters(Rfc822Reader& reader);

// The value of a parameter, whatever the case of its name; nullptr if there is none.
const std::string* find_parameter(const Parameters& parameters, std::string_view name);
// The same decoded to UTF-8: RFC 2231 ("name*") first, else RFC 2047 words in a plain one.
std::optional<std::string> decoded_parameter(const Parameters& parameters, std::string_view name);

}  // namespace culver
