#include "lib-mail/mime-fields.h"

#include <algorithm>

#include "lib-base/text.h"
#include "lib-mail/charset.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/rfc822-reader.h"

namespace culver {

namespace {

using Step = Rfc822Reader::Step;

// A piece of a parameter that RFC 2231 cut or encoded: name*7*=value.
struct Piece {
    std::string name, value;
    std::uint32_t index = 0;
    bool extended = false;
};

// Whether `name` has the form name*, name*7 or name*7*; the piece's fields are filled in then.
bool split_name(const std::string& name, Piece& piece) {
    const std::size_t star = name.find('*');
    if (star == std::string::npos) return false;
    std::size_t at = star;
    if (at + 1 < name.size()) {
        ++at;
        for (; at < name.size() && name[at] >= '0' && name[at] <= '9'; ++at) {
            if (piece.index > 1000000) return false;
            piece.index = piece.index * 10 + static_cast<std::uint32_t>(name[at] - '0');
        }
    }
    piece.extended = at < name.size() && name[at] == '*';
    if (piece.extended) ++at;
    if (at != name.size()) return false;
    piece.name = name.substr(0, star);
    return true;
}

std::string escape_percent(const std::string& value) {
    std::string out;
    for (const char c : value) c == '%' ? out.append("%25") : out.append(1, c);
    return out;
}

// Pieces [begin, end) have one name; joined if their numbers are 0, 1, 2 …, else shown one by one.
void join_pieces(const std::vector<Piece>& pieces, std::size_t begin, std::size_t end, Parameters& out) {
    bool broken = false, extended = false;
    for (std::size_t i = begin; i < end; ++i) {
        broken |= pieces[i].index != i - begin;
        extended |= pieces[i].extended;
    }
    if (broken) {
        for (std::size_t i = begin; i < end; ++i)
            out.emplace_back(pieces[i].name + "*" + std::to_string(pieces[i].index) + (pieces[i].extended ? "*" : ""),
                             pieces[i].value);
        return;
    }
    std::string value = extended && !pieces[begin].extended ? "''" : "";
    for (std::size_t i = begin; i < end; ++i)
        value += extended && !pieces[i].extended ? escape_percent(pieces[i].value) : pieces[i].value;
    out.emplace_back(extended ? pieces[begin].name + "*" : pieces[begin].name, std::move(value));
}

std::string structured(const HeaderField& field) { return field.value(HeaderField::Folds::Kept); }

void read_encoding(const std::string& value, MimeFields& fields) {
    Rfc822Reader reader(value);
    reader.skip_blanks();
    std::string token;
    if (reader.mime_token(token) == Step::Error || reader.skip_blanks() != Step::End || token.empty()) return;
    fields.encoding = std::move(token);
}

void read_disposition(const std::string& value, MimeFields& fields) {
    Rfc822Reader reader(value);
    reader.skip_blanks();
    std::string token;
    if (reader.mime_token(token) == Step::Error) return;
    fields.disposition = std::move(token);
    fields.disposition_parameters = parse_parameters(reader);
}

void read_languages(const std::string& value, MimeFields& fields) {
    Rfc822Reader reader(value);
    reader.skip_blanks();
    std::string tag;
    while (fields.languages.size() < kParameterLimit && reader.atom(tag) != Step::Error) {
        fields.languages.push_back(std::move(tag));
        tag.clear();
        if (!reader.next_is(',')) break;
        reader.advance();
        reader.skip_blanks();
    }
}

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = text[i] == '%' ? hex_decode(text.substr(i + 1, 2)) : std::nullopt;
        if (byte && byte->size() == 1) {
            out += *byte;
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

Parameters parse_parameters(Rfc822Reader& reader) {
    Parameters plain;
    std::vector<Piece> pieces;
    std::string name, value;
    for (;;) {
        const Step step = reader.parameter(name, value);
        if (step == Step::End) break;
        if (step == Step::Error) {
            if (reader.at_end()) break;
            reader.advance();
            continue;
        }
        if (plain.size() + pieces.size() == kParameterLimit) break;
        Piece piece;
        if (split_name(name, piece)) {
            piece.value = value;
            pieces.push_back(std::move(piece));
        } else {
            plain.emplace_back(name, value);
        }
    }
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
        return a.name != b.name ? a.name < b.name : a.index < b.index;
    });
    for (std::size_t begin = 0, end; begin < pieces.size(); begin = end) {
        end = begin + 1;
        while (end < pieces.size() && equals_ignore_case(pieces[end].name, pieces[begin].name)) ++end;
        join_pieces(pieces, begin, end, plain);
    }
    return plain;
}

void parse_content_type(std::string_view value, MimeFields& fields) {
    fields.has_type = fields.is_mime = true;
    Rfc822Reader reader(value);
    std::string type, subtype;
    if (reader.skip_blanks() != Step::More) return;
    Step step = reader.mime_token(type);
    if (type.empty() || step == Step::Error) return;
    if (step == Step::More) {
        if (!reader.next_is('/')) return;
        reader.advance();
        if (reader.skip_blanks() != Step::More) return;
        step = reader.mime_token(subtype);
        if (subtype.empty() || step == Step::Error || (step == Step::More && !reader.next_is(';'))) return;
    }
    fields.type = std::move(type);
    fields.subtype = std::move(subtype);
    fields.parameters = parse_parameters(reader);
}

MimeFields parse_mime_fields(std::string_view header, bool in_multipart) {
    MimeFields fields;
    fields.is_mime = in_multipart;
    HeaderReader reader(header);
    HeaderField field;
    while (reader.next(field)) {
        if (field.is("MIME-Version")) {
            fields.is_mime = true;
            continue;
        }
        if (!starts_with_ignore_case(field.name, "Content-")) continue;
        const std::string_view name = field.name.substr(8);
        const auto is = [&](std::string_view wanted) { return equals_ignore_case(name, wanted); };
        if (is("Type") && !fields.has_type) parse_content_type(structured(field), fields);
        else if (is("Transfer-Encoding") && !fields.encoding) read_encoding(structured(field), fields);
        else if (is("ID") && !fields.id) fields.id = field.value();
        else if (is("Description") && !fields.description) fields.description = field.value();
        else if (is("Disposition") && fields.disposition_parameters.empty())
            read_disposition(structured(field), fields);
        else if (is("Language") && fields.languages.empty()) read_languages(structured(field), fields);
        else if (is("Location") && !fields.location) fields.location = field.value();
        else if (is("MD5") && !fields.md5) fields.md5 = field.value();
    }
    if (fields.is_mime) return fields;
    return MimeFields();
}

const std::string* find_parameter(const Parameters& parameters, std::string_view name) {
    for (const auto& [key, value] : parameters)
        if (equals_ignore_case(key, name)) return &value;
    return nullptr;
}

std::optional<std::string> decoded_parameter(const Parameters& parameters, std::string_view name) {
    if (const std::string* extended = find_parameter(parameters, std::string(name) + "*")) {
        const std::size_t first = extended->find('\'');
        const std::size_t second = first == std::string::npos ? first : extended->find('\'', first + 1);
        if (second == std::string::npos) return percent_decode(*extended);
        return to_utf8(extended->substr(0, first), percent_decode(std::string_view(*extended).substr(second + 1)));
    }
    if (const std::string* plain = find_parameter(parameters, name)) return decode_encoded_words(*plain);
    return std::nullopt;
}

}  // namespace culver
