#include "lib-mail/header-fields.h"

#include "lib-base/text.h"

namespace culver {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

void append_without_nul(std::string& out, std::string_view text) {
    for (;;) {
        const std::size_t nul = text.find('\0');
        out.append(text.substr(0, nul));
        if (nul == std::string_view::npos) return;
        out.append("\xef\xbf\xbd");
        text.remove_prefix(nul + 1);
    }
}

}  // namespace

bool HeaderField::is(std::string_view wanted) const { return equals_ignore_case(name, wanted); }

std::string HeaderField::value(Folds folds) const {
    std::string out;
    std::string_view rest = body.substr(0, kHeaderFieldLimit);
    bool first = true;
    while (!rest.empty()) {
        const std::size_t lf = rest.find('\n');
        const std::size_t length = lf == std::string_view::npos ? rest.size() : lf + 1;
        std::string_view line = without_line_end(rest.substr(0, length));
        rest.remove_prefix(length);
        if (first) {
            // All blanks behind the colon go, but of a line of nothing but blanks only the first does.
            std::size_t blanks = 0;
            while (blanks < line.size() && is_blank(line[blanks])) ++blanks;
            if (blanks == line.size() && blanks > 0) blanks = 1;
            line.remove_prefix(blanks);
            first = false;
        } else if (folds == Folds::Kept) {
            out += '\n';
        }
        append_without_nul(out, line);
    }
    return out;
}

bool HeaderReader::next(HeaderField& field) {
    if (position_ >= header_.size() || ++count_ > kHeaderLineLimit) return false;
    const std::string_view rest = header_.substr(position_);
    if (rest.starts_with('\n') || rest.starts_with("\r\n")) return false;
    std::size_t end = 0;
    do {
        const std::size_t lf = rest.find('\n', end);
        end = lf == std::string_view::npos ? rest.size() : lf + 1;
    } while (end < rest.size() && is_blank(rest[end]));
    field.lines = rest.substr(0, end);
    position_ += end;
    const std::size_t line_end = field.lines.find('\n');
    const std::size_t colon = field.lines.substr(0, line_end).find(':');
    if (colon == std::string_view::npos) {
        field.name = {};
        field.body = field.lines;
        return true;
    }
    std::size_t name_length = colon;
    while (name_length > 0 && is_blank(field.lines[name_length - 1])) --name_length;
    field.name = field.lines.substr(0, name_length);
    field.body = field.lines.substr(colon + 1);
    return true;
}

bool find_header(std::string_view header, std::string_view name, std::string& value) {
    HeaderReader reader(header);
    HeaderField field;
    while (reader.next(field)) {
        if (field.name.empty() || !field.is(name)) continue;
        value = field.value();
        return true;
    }
    return false;
}

}  // namespace culver
