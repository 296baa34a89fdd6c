// Header fields: finds the fields of a header and their values. RFC 5322 §2.2, and what real mail makes of it.
// No I/O, nothing is copied before a value is asked for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace culver {

inline constexpr std::size_t kHeaderFieldLimit = 1 << 20;  // bytes of one value; the rest is ignored
inline constexpr std::size_t kHeaderLimit = 10 << 20;      // bytes of one header that are looked at
inline constexpr std::size_t kHeaderLineLimit = 100000;    // fields of one header that are looked at

// One field as stored, with all its folded lines.
struct HeaderField {
    std::string_view name;   // without blanks before the colon; empty if the line has no colon
    std::string_view lines;  // everything, line ends included
    std::string_view body;   // behind the colon, folds and line ends included

    bool is(std::string_view wanted) const;  // whatever the case
    // Line ends of folds removed (the blanks behind them stay), leading blanks of the first line removed, NUL replaced
    // by U+FFFD. At most kHeaderFieldLimit bytes.
    std::string value() const { return value(Folds::Removed); }
    // With Folds::Kept each fold leaves an LF: for structured fields, where an LF ends what was cut off, and for texts
    // whose reader wants to know that they were folded.
    enum class Folds { Removed, Kept };
    std::string value(Folds folds) const;
};

// Goes through a header, field by field. `header` may hold the blank line at its end, and more behind it.
class HeaderReader {
public:
    explicit HeaderReader(std::string_view header) : header_(header.substr(0, kHeaderLimit)) {}
    // False at the end: the blank line or the end of the text. Linear over all calls.
    bool next(HeaderField& field);

private:
    std::string_view header_;
    std::size_t position_ = 0;
    std::size_t count_ = 0;
};

// The value of the first field of that name; nothing if there is none.
bool find_header(std::string_view header, std::string_view name, std::string& value);

}  // namespace culver
