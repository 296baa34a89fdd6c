// One logical line of a configuration file, taken apart. No I/O, no knowledge of settings.
#pragma once

#include <string>
#include <string_view>

namespace culver::config {

enum class LineKind { Empty, Assignment, Open, Close, Include, IncludeTry, Bad };

enum class Quoting { None, Quoted };

struct Line {
    LineKind kind = LineKind::Empty;
    std::string key;    // setting or block name
    std::string value;  // Assignment: the value without its quotes; Open: the label; Include: the path
    Quoting quoting = Quoting::None;
    std::string error, hint;  // Bad: what is wrong, in Dovecot's words
};

// Reads physical lines from a text and joins those that end in a backslash.
class LineReader {
public:
    explicit LineReader(std::string_view text) : text_(text) {}

    // False at the end. `line` is without comment and blanks at both ends; `ambiguous` tells that a '#' without a blank
    // before it was taken for a comment.
    bool next(std::string& line, bool& ambiguous);
    // Number of the last physical line read, from 1: the one that errors name.
    unsigned line_number() const { return line_number_; }

private:
    std::string_view text_;
    unsigned line_number_ = 0;
};

// `text` as LineReader gives it.
Line parse_line(std::string_view text);

// A value in the form in which it can stand in a file: in double quotes if it would not come back as it is.
std::string quote_value(std::string_view value);

}  // namespace culver::config
