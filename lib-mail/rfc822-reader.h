// Rfc822Reader: cuts a structured header value into atoms, strings and comments, as leniently as Dovecot does, so that
// odd headers give clients the same results. RFC 5322 §3.2, RFC 2045 §5.1. No recursion; each byte is read once.
//
// The text is a field value whose folds may still be marked by LF (HeaderField::Folds::Kept).
// Every read function answers Step: More (something follows), End (read, and the text is used up), Error (not there).
#pragma once

#include <string>
#include <string_view>

namespace culver {

class Rfc822Reader {
public:
    enum class Step { Error, End, More };

    explicit Rfc822Reader(std::string_view text) : text_(text) {}

    bool at_end() const { return at_ >= text_.size(); }
    char peek() const { return text_[at_]; }  // not at the end
    bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
    void advance() { ++at_; }
    std::size_t position() const { return at_; }
    void rewind(std::size_t position) { at_ = position; }

    // Blanks, line ends and comments. The text of a comment is kept: last_comment.
    Step skip_blanks();
    // Each of these appends to `out`.
    Step atom(std::string& out);
    Step atom_or_dots(std::string& out);
    Step dot_atom(std::string& out);
    Step quoted_string(std::string& out);  // at '"'
    Step phrase(std::string& out);         // words with one blank between them
    Step domain(std::string& out);         // at '@'
    Step mime_token(std::string& out);
    // "; name=value". End: no more parameters.
    Step parameter(std::string& name, std::string& value);

    static bool is_atom_char(char c);

    std::string last_comment;

private:
    bool skip_comment();
    Step step() const { return at_end() ? Step::End : Step::More; }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace culver
