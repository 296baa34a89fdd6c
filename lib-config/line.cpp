#include "lib-config/line.h"

#include "lib-base/text.h"

namespace culver::config {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view strip(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// Cuts a comment off; a '#' inside quotes stays.
std::string_view cut_comment(std::string_view line, bool& ambiguous) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        char c = line[i];
        if (c == '#') {
            if (i > 0 && !is_blank(line[i - 1])) ambiguous = true;
            return line.substr(0, i);
        }
        if (c != '"' && c != '\'') continue;
        std::size_t end = i + 1;
        while (end < line.size() && line[end] != c) end += line[end] == '\\' && end + 1 < line.size() ? 2 : 1;
        if (end >= line.size()) return line;
        i = end;
    }
    return line;
}

// The text between quotes; a backslash makes the next character an ordinary one.
std::string unquote(std::string_view text) {
    text = text.substr(1, text.size() - 2);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        out += text[i];
    }
    return out;
}

bool is_quoted(std::string_view text) {
    return text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
}

Line bad(std::string error, std::string hint) {
    Line line;
    line.kind = LineKind::Bad;
    line.error = std::move(error);
    line.hint = std::move(hint);
    return line;
}

Line parse_assignment(std::string_view key, std::string_view value) {
    Line line;
    line.kind = LineKind::Assignment;
    line.key = key;
    value = strip(value);
    if (is_quoted(value)) {
        line.value = unquote(value);
        line.quoting = Quoting::Quoted;
    } else {
        line.value = value;
    }
    return line;
}

// What follows the name of a block: nothing or a label, then '{'.
Line parse_open(std::string_view key, std::string_view rest) {
    Line line;
    line.kind = LineKind::Open;
    line.key = key;
    std::string_view after = rest;
    if (!rest.empty() && rest.front() != '{') {
        if (rest.front() == '"' || rest.front() == '\'') {
            std::size_t end = 1;
            while (end < rest.size() && rest[end] != rest.front()) end += rest[end] == '\\' ? 2 : 1;
            if (end < rest.size()) {
                line.value = unquote(rest.substr(0, end + 1));
                after = strip(rest.substr(end + 1));
            }
        } else {
            std::size_t end = 0;
            while (end < rest.size() && !is_blank(rest[end])) ++end;
            line.value = rest.substr(0, end);
            after = strip(rest.substr(end));
        }
    }
    if (after.empty() || after.front() != '{')
        return bad("Expecting '{'",
                   "write \"name = value\" for a setting, or \"name {\" with the brace at the end of the line");
    if (after.size() > 1) return bad("Garbage after '{'", "put what follows '{' on lines of its own");
    return line;
}

}  // namespace

bool LineReader::next(std::string& line, bool& ambiguous) {
    line.clear();
    ambiguous = false;
    bool joined = false;
    while (!text_.empty()) {
        std::size_t end = text_.find('\n');
        std::string_view physical = text_.substr(0, end);
        text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
        ++line_number_;
        physical = strip(cut_comment(strip(physical), ambiguous));
        bool continues = !physical.empty() && physical.back() == '\\';
        if (continues) physical = strip(physical.substr(0, physical.size() - 1));
        if (joined && !physical.empty()) line += ' ';
        line += physical;
        if (!continues) return true;
        joined = true;
    }
    return joined;
}

Line parse_line(std::string_view text) {
    text = strip(text);
    if (text.empty()) return {};
    if (text == "}") {
        Line line;
        line.kind = LineKind::Close;
        return line;
    }
    std::size_t end = 0;
    while (end < text.size() && !is_blank(text[end]) && text[end] != '=') ++end;
    std::string_view key = text.substr(0, end);
    std::string_view rest = strip(text.substr(end));
    if (key == "!include" || key == "!include_try") {
        Line line;
        line.kind = key == "!include" ? LineKind::Include : LineKind::IncludeTry;
        line.value = is_quoted(rest) ? unquote(rest) : std::string(rest);
        return line;
    }
    if (!rest.empty() && rest.front() == '=') {
        if (key.empty()) return bad("Missing key name ('=' at the beginning of line)", "write \"name = value\"");
        return parse_assignment(key, rest.substr(1));
    }
    return parse_open(key, rest);
}

std::string quote_value(std::string_view value) {
    bool needs = !value.empty() && (is_blank(value.front()) || is_blank(value.back()) ||
                                    value.find_first_of("#\n") != std::string_view::npos || is_quoted(value));
    if (!needs) return std::string(value);
    std::string out = "\"";
    for (char c : value) {
        if (c == '"' || c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace culver::config
