#include "lib-mail/rfc822-reader.h"

namespace culver {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_token_char(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

}  // namespace

bool Rfc822Reader::is_atom_char(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && std::string_view("()<>[]:;@\\,.\"").find(c) == std::string_view::npos;
}

bool Rfc822Reader::skip_comment() {
    last_comment.clear();
    std::size_t level = 1;
    std::size_t start = ++at_;
    for (; !at_end(); ++at_) {
        const char c = text_[at_];
        if (c == '(') ++level;
        if (c == ')' && --level > 0) continue;
        if (c != ')' && c != '\\' && c != '\n') continue;
        if (c == '\\' && at_ + 1 >= text_.size()) break;
        last_comment.append(text_.substr(start, at_ - start));
        start = at_ + 1;
        if (c == '\\') ++at_;
        if (c != ')') continue;
        ++at_;
        return true;
    }
    at_ = text_.size();
    return false;
}

Rfc822Reader::Step Rfc822Reader::skip_blanks() {
    while (!at_end()) {
        if (is_blank(text_[at_])) ++at_;
        else if (text_[at_] != '(') return Step::More;
        else if (!skip_comment()) return Step::Error;
    }
    return Step::End;
}

Rfc822Reader::Step Rfc822Reader::atom(std::string& out) {
    if (at_end() || !is_atom_char(text_[at_])) return Step::Error;
    const std::size_t start = at_;
    while (!at_end() && is_atom_char(text_[at_])) ++at_;
    out.append(text_.substr(start, at_ - start));
    return at_end() ? Step::End : skip_blanks();
}

Rfc822Reader::Step Rfc822Reader::atom_or_dots(std::string& out) {
    const std::size_t start = at_;
    while (!at_end() && (is_atom_char(text_[at_]) || text_[at_] == '.')) ++at_;
    out.append(text_.substr(start, at_ - start));
    return at_end() ? Step::End : skip_blanks();
}

Rfc822Reader::Step Rfc822Reader::dot_atom(std::string& out) {
    if (at_end() || !is_atom_char(text_[at_])) return Step::Error;
    for (;;) {
        const std::size_t start = at_;
        while (!at_end() && is_atom_char(text_[at_])) ++at_;
        if (at_ == start) return Step::Error;
        out.append(text_.substr(start, at_ - start));
        if (at_end()) return Step::End;
        const Step blanks = skip_blanks();
        if (blanks != Step::More) return blanks;
        if (text_[at_] != '.') return Step::More;
        ++at_;
        out += '.';
        if (skip_blanks() != Step::More) return Step::Error;
    }
}

Rfc822Reader::Step Rfc822Reader::quoted_string(std::string& out) {
    // What stands behind the last backslash or fold is taken only if the string is closed.
    std::size_t start = ++at_;
    for (; !at_end(); ++at_) {
        const char c = text_[at_];
        if (c != '"' && c != '\\' && c != '\n') continue;
        if (c == '\\' && at_ + 1 >= text_.size()) break;
        out.append(text_.substr(start, at_ - start));
        start = at_ + 1;
        if (c == '\\') ++at_;
        if (c != '"') continue;
        ++at_;
        return skip_blanks();
    }
    at_ = text_.size();
    return Step::Error;
}

Rfc822Reader::Step Rfc822Reader::phrase(std::string& out) {
    if (at_end()) return Step::End;
    if (text_[at_] == '.') return Step::Error;
    for (;;) {
        const Step word = text_[at_] == '"' ? quoted_string(out) : atom_or_dots(out);
        if (word != Step::More) return word;
        if (!is_atom_char(text_[at_]) && text_[at_] != '"' && text_[at_] != '.') return skip_blanks();
        out += ' ';
    }
}

Rfc822Reader::Step Rfc822Reader::domain(std::string& out) {
    ++at_;
    if (skip_blanks() != Step::More) return Step::Error;
    if (text_[at_] != '[') return dot_atom(out);
    const std::size_t start = at_;
    for (++at_; !at_end(); ++at_) {
        if (text_[at_] == '\\') {
            if (++at_ >= text_.size()) break;
        } else if (text_[at_] == '[') {
            return Step::Error;
        } else if (text_[at_] == ']') {
            ++at_;
            out.append(text_.substr(start, at_ - start));
            return skip_blanks();
        }
    }
    return Step::Error;
}

Rfc822Reader::Step Rfc822Reader::mime_token(std::string& out) {
    const std::size_t start = at_;
    while (!at_end() && is_token_char(text_[at_])) ++at_;
    out.append(text_.substr(start, at_ - start));
    return at_end() ? Step::End : skip_blanks();
}

Rfc822Reader::Step Rfc822Reader::parameter(std::string& name, std::string& value) {
    name.clear();
    value.clear();
    if (at_end()) return Step::End;
    if (text_[at_] != ';') return Step::Error;
    ++at_;
    if (skip_blanks() != Step::More || mime_token(name) != Step::More || text_[at_] != '=') return Step::Error;
    ++at_;
    const Step blanks = skip_blanks();
    if (blanks == Step::Error) return Step::Error;
    if (blanks == Step::End) return Step::More;
    if (text_[at_] == '"') return quoted_string(value) == Step::Error ? Step::Error : Step::More;
    if (text_[at_] == '=') {
        // name==?utf-8?…?= is no parameter of any RFC, yet common: taken up to a blank or ";".
        while (!at_end() && text_[at_] != ';' && !is_blank(text_[at_])) value += text_[at_++];
        return Step::More;
    }
    return mime_token(value) == Step::Error ? Step::Error : Step::More;
}

}  // namespace culver
