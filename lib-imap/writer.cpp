#include "lib-imap/writer.h"

#include <charconv>

#include "lib-base/text.h"
#include "lib-mail/calendar.h"
#include "lib-mail/modified-utf7.h"

namespace culver {

namespace {

// Few enough escapes and nothing that a quoted string cannot hold.
bool fits_quotes(std::string_view text) {
    int escapes = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 || byte == 0 || byte == '\r' || byte == '\n') return false;
        if ((byte == '"' || byte == '\\') && ++escapes > 4) return false;
    }
    return true;
}

bool fits_atom(std::string_view text) {
    if (text.empty() || equals_ignore_case(text, "NIL")) return false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f) return false;
        switch (byte) {
            case '(':
            case ')':
            case '{':
            case '%':
            case '*':
            case '"':
            case '\\':
            case ']': return false;
            default: break;
        }
    }
    return true;
}

void append_two_digits(std::string& out, int number) {
    out += static_cast<char>('0' + number / 10 % 10);
    out += static_cast<char>('0' + number % 10);
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
    char digits[20];
    const auto result = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, static_cast<std::size_t>(result.ptr - digits));
}

void append_string(std::string& out, std::string_view text) {
    if (fits_quotes(text)) append_quoted(out, text);
    else append_literal(out, text);
}

void append_human_string(std::string& out, std::string_view text) {
    // Plain text with single blanks inside is quoted; anything else becomes a literal with its blanks tidied up.
    std::string tidy;
    bool literal = false, after_blank = true;
    for (const char c : text) {
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (blank && (after_blank || c != ' ')) literal = true;
        if (c == '"' || c == '\\' || c == '\0' || static_cast<unsigned char>(c) >= 0x80) literal = true;
        if (!blank) tidy += c;
        else if (!after_blank) tidy += ' ';
        after_blank = blank;
    }
    if (after_blank && !text.empty()) {
        literal = true;
        if (tidy.ends_with(' ')) tidy.pop_back();
    }
    if (literal && !tidy.empty()) return append_literal(out, tidy);
    out += '"';
    out += tidy;
    out += '"';
}

void append_nstring(std::string& out, const std::optional<std::string_view>& text) {
    if (text) append_string(out, *text);
    else out.append("NIL");
}

void append_astring(std::string& out, std::string_view text) {
    if (fits_atom(text)) out.append(text);
    else append_string(out, text);
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    }
    out += '"';
}

void append_literal(std::string& out, std::string_view bytes) {
    out += '{';
    append_number(out, bytes.size());
    out.append("}\r\n");
    out.append(bytes);
}

void append_mailbox(std::string& out, std::string_view utf8) {
    // A name on disk that is no UTF-8 is shown as it is: as a literal, which is the only way to say it.
    append_astring(out, modified_utf7_encode(utf8).value_or(std::string(utf8)));
}

void append_date_time(std::string& out, std::int64_t seconds, int offset_minutes) {
    const CivilTime time = civil_from_seconds(seconds + std::int64_t(offset_minutes) * 60);
    out += '"';
    append_two_digits(out, time.day);
    out += '-';
    out.append(month_name(time.month));
    out += '-';
    const int year = time.year < 0 ? 0 : time.year > 9999 ? 9999 : time.year;
    append_two_digits(out, year / 100);
    append_two_digits(out, year % 100);
    out += ' ';
    append_two_digits(out, time.hour);
    out += ':';
    append_two_digits(out, time.minute);
    out += ':';
    append_two_digits(out, time.second);
    out.append(offset_minutes < 0 ? " -" : " +");
    const int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    append_two_digits(out, offset / 60);
    append_two_digits(out, offset % 60);
    out += '"';
}

void append_system_flags(std::string& out, std::uint8_t system) {
    static constexpr std::string_view kNames[] = {"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"};
    bool first = true;
    for (int bit = 0; bit < 5; ++bit) {
        if (!(system & (1 << bit))) continue;
        if (!first) out += ' ';
        first = false;
        out.append(kNames[bit]);
    }
}

}  // namespace culver
