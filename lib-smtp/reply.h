// SmtpReply: one reply of a server, and how it looks on the wire (RFC 5321 §4.2, RFC 2034).
#pragma once

#include <string>
#include <string_view>

namespace culver {

struct SmtpReply {
    unsigned code = 250;
    std::string text;  // with the enhanced status code in front, e.g. "2.1.0 OK"; '\n' separates lines

    bool is_positive() const { return code < 400; }
    // Adds "code text CRLF", each line of a multi-line text with its code. Bytes that could forge a line or a terminal
    // sequence (controls) become '?', and a line is cut at 512 bytes as RFC 5321 §4.5.3.1.5 asks.
    void append_to(std::string& out) const;
};

// The text of a reply for bytes that came from the client: controls replaced.
std::string printable(std::string_view text);

}  // namespace culver
