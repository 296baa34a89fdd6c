#include "lib-smtp/address.h"

#include "lib-base/text.h"

namespace culver {
namespace {

bool is_alphanumeric(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
// atext of RFC 5322, the dot, and everything beyond ASCII (RFC 6531; the whole line was checked to be UTF-8).
bool is_dot_string_char(unsigned char c) {
    return is_alphanumeric(c) || c >= 0x80 ||
           std::string_view(".!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(c)) != std::string_view::npos;
}
bool is_domain_char(unsigned char c) { return is_alphanumeric(c) || c >= 0x80 || c == '.' || c == '-' || c == '_'; }

using Failure = std::unexpected<std::string>;

// Reads the local part at the beginning of `in` and removes it.
std::expected<std::string, std::string> take_local_part(std::string_view& in) {
    std::string local;
    if (!in.starts_with('"')) {
        std::size_t n = 0;
        while (n < in.size() && is_dot_string_char(static_cast<unsigned char>(in[n]))) ++n;
        local = in.substr(0, n);
        in.remove_prefix(n);
        return local;
    }
    for (std::size_t i = 1; i < in.size(); ++i) {
        if (in[i] == '"') {
            in.remove_prefix(i + 1);
            return local;
        }
        if (in[i] == '\\' && ++i >= in.size()) break;
        local += in[i];
    }
    return Failure("Missing '\"' at end of quoted string in localpart");
}

std::expected<std::string, std::string> take_domain(std::string_view& in) {
    std::size_t n = 0;
    if (in.starts_with('[')) {
        n = in.find(']');
        if (n == std::string_view::npos) return Failure("Missing ']' at end of address literal");
        ++n;
        for (char c : in.substr(1, n - 2))
            if (!is_alphanumeric(static_cast<unsigned char>(c)) && c != '.' && c != ':' && c != '-')
                return Failure("Invalid character in address literal");
    } else {
        while (n < in.size() && is_domain_char(static_cast<unsigned char>(in[n]))) ++n;
    }
    std::string domain(in.substr(0, n));
    in.remove_prefix(n);
    return domain;
}

bool needs_quotes(std::string_view local) {
    if (local.empty()) return true;
    for (char c : local)
        if (!is_dot_string_char(static_cast<unsigned char>(c))) return true;
    return false;
}

}  // namespace

std::string SmtpAddress::username() const { return domain.empty() ? local_part : local_part + "@" + domain; }

std::string SmtpAddress::to_string() const {
    if (is_null()) return {};
    std::string out;
    if (needs_quotes(local_part)) {
        out += '"';
        for (char c : local_part) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    } else {
        out = local_part;
    }
    if (!domain.empty()) out += "@" + domain;
    return out;
}

std::expected<ParsedPath, std::string> parse_path(std::string_view text, NullPath null_path, std::size_t limit) {
    if (text.empty()) return Failure("Path is empty string");
    if (text.front() == ' ') return Failure("Unexpected whitespace before path");
    if (text.front() != '<') return Failure("Missing '<' at beginning of path");
    std::string_view in = text.substr(1);
    if (in.starts_with('@')) {
        auto end = in.find_first_of(":>");
        if (end == std::string_view::npos || in[end] == '>') return Failure("Missing ':' at end of source route");
        in.remove_prefix(end + 1);
    }
    ParsedPath path;
    const bool quoted = in.starts_with('"');
    auto local = take_local_part(in);
    if (!local) return Failure(local.error());
    path.address.local_part = std::move(*local);
    if (in.starts_with('@')) {
        if (path.address.local_part.empty() && !quoted) return Failure("Missing localpart");
        in.remove_prefix(1);
        auto domain = take_domain(in);
        if (!domain) return Failure(domain.error());
        path.address.domain = std::move(*domain);
        if (!in.empty() && in.front() != '>') return Failure("Invalid character in domain");
    }
    if (in.empty()) return Failure("Missing '>' at end of path");
    if (in.front() != '>') return Failure("Invalid character in localpart");
    in.remove_prefix(1);
    if (!in.empty() && in.front() != ' ') return Failure("Invalid character in path");
    if (text.size() - in.size() > limit) return Failure("Path is too long");
    if (path.address.is_null() && null_path == NullPath::Refused) return Failure("Null path not allowed");
    path.rest = in;
    return path;
}

std::optional<SmtpAddress> parse_address(std::string_view text) {
    for (char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    if (!is_valid_utf8(text)) return std::nullopt;
    std::string bracketed = text.starts_with('<') ? std::string(text) : "<" + std::string(text) + ">";
    auto path = parse_path(bracketed, NullPath::Allowed, 1024);
    if (!path || !path->rest.empty()) return std::nullopt;
    return std::move(path->address);
}

DetailedLocalPart split_detail(std::string_view local_part, std::string_view delimiters) {
    auto at = local_part.find_first_of(delimiters);
    if (delimiters.empty() || at == std::string_view::npos) return {std::string(local_part), {}, false};
    return {std::string(local_part.substr(0, at)), std::string(local_part.substr(at + 1)), true};
}

}  // namespace culver
