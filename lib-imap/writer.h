// How each kind of word is spelled in responses. Quoting is Dovecot's, byte for byte, so that clients see no
// difference. Everything is appended to a string (usually the session's output buffer); no I/O here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace culver {

void append_number(std::string& out, std::uint64_t number);
// Never NIL; "…" if the text has neither NUL, 8-bit bytes, CR nor LF, and at most four '"' and backslashes (which get a
// backslash each); a literal otherwise.
void append_string(std::string& out, std::string_view text);
// For subjects and display names: "…" without any backslash, or a literal; blanks are made single ones and trimmed.
void append_human_string(std::string& out, std::string_view text);
// The same, or NIL.
void append_nstring(std::string& out, const std::optional<std::string_view>& text);
// An atom where possible ("NIL" and "" are quoted), else as append_string.
void append_astring(std::string& out, std::string_view text);
// Always "…", with backslashes before '"' and backslash; CR, LF and NUL become blanks.
void append_quoted(std::string& out, std::string_view text);
// "{n}\r\n" and the bytes.
void append_literal(std::string& out, std::string_view bytes);
// A mailbox name (UTF-8) in modified UTF-7, as astring.
void append_mailbox(std::string& out, std::string_view utf8);
// "01-Jan-2024 10:00:00 +0000" with the quotes (INTERNALDATE); `offset_minutes` is the zone to show it in.
void append_date_time(std::string& out, std::int64_t seconds, int offset_minutes);
// "\Answered \Seen" from SystemFlag bits, in Dovecot's order, no parentheses.
void append_system_flags(std::string& out, std::uint8_t system);

// The same, to write a response as one chain: Writer(out).text("* STATUS ").mailbox(name).text(" (")…
class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    // clang-format off
    Writer& text(std::string_view bytes) { out_.append(bytes); return *this; }
    Writer& number(std::uint64_t value) { append_number(out_, value); return *this; }
    Writer& string(std::string_view value) { append_string(out_, value); return *this; }
    Writer& nstring(const std::optional<std::string_view>& value) { append_nstring(out_, value); return *this; }
    Writer& astring(std::string_view value) { append_astring(out_, value); return *this; }
    Writer& quoted(std::string_view value) { append_quoted(out_, value); return *this; }
    Writer& literal(std::string_view bytes) { append_literal(out_, bytes); return *this; }
    Writer& mailbox(std::string_view utf8) { append_mailbox(out_, utf8); return *this; }
    Writer& end_line() { out_.append("\r\n", 2); return *this; }
    // clang-format on

private:
    std::string& out_;
};

}  // namespace culver
