// Mail addresses of the envelope: Path and Mailbox of RFC 5321 §4.1.2, with UTF-8 of RFC 6531.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace culver {

struct SmtpAddress {
    std::string local_part;  // without quotes and backslashes
    std::string domain;      // without '@'; empty if none was given; "[192.0.2.1]" for a literal

    bool is_null() const { return local_part.empty() && domain.empty(); }
    // "local@domain" without any quoting: the user name that is looked up.
    std::string username() const;
    // As it must be written in an envelope or a header: the local part quoted if it has to be.
    std::string to_string() const;
    bool operator==(const SmtpAddress&) const = default;
};

struct ParsedPath {
    SmtpAddress address;
    std::string_view rest;  // what follows '>'; starts with a blank or is empty
};

// Reads "<path>" at the beginning of `text`; a source route is skipped (RFC 5321 appendix C). Lenient where Dovecot is:
// a missing domain, dots at odd places. The error is the text for the client, e.g. "Missing '>' at end of path".
// Linear in the text; the result's `rest` points into it.
enum class NullPath { Allowed, Refused };
std::expected<ParsedPath, std::string> parse_path(std::string_view text, NullPath null_path, std::size_t limit);

// An address as it stands in a log or on a command line, with or without angle brackets: "a@b", "<a@b>", "<>", "".
// Anything that does not parse becomes nothing.
std::optional<SmtpAddress> parse_address(std::string_view text);

// Splits a local part at the first of `delimiters` (each character is one): "alice+work" -> "alice", "work". A
// delimiter at the beginning counts too: "+x" -> "", "x", as with Dovecot.
struct DetailedLocalPart {
    std::string user, detail;
    bool has_detail = false;
};
DetailedLocalPart split_detail(std::string_view local_part, std::string_view delimiters);

}  // namespace culver
