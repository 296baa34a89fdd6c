#include "lib-auth/ldap/ldap-escape.h"

#include <fmt/format.h>

#include "lib-config/variables.h"

namespace culver {

namespace {
constexpr std::string_view kEscaped = "*,\\#+<>;\"()= ";

std::string escape_twice(std::string_view value) { return ldap_escape(ldap_escape(value)); }

Result<std::string> expand_escaped(std::string_view text, const AuthRequest& request, const VariableEscape& escape) {
    if (text.find('%') == text.npos) return std::string(text);
    return expand_variables(
        text, [&](std::string_view name) { return request.variable(name); }, escape);
}

// The end of the piece that begins at `start`: the next parenthesis outside of %{...}.
std::size_t end_of_piece(std::string_view filter, std::size_t start) {
    int depth = 0;
    for (std::size_t i = start; i < filter.size(); ++i) {
        if (filter[i] == '{') ++depth;
        if (filter[i] == '}' && depth > 0) --depth;
        if (depth == 0 && (filter[i] == '(' || filter[i] == ')')) return i;
    }
    return filter.size();
}

// True if the first variable of "attribute=value" stands inside of a DN.
bool is_in_dn(std::string_view piece) {
    std::string_view before = piece.substr(0, piece.find('%'));
    std::size_t first = before.find('=');
    return first != before.npos && before.find('=', first + 1) != before.npos;
}
}  // namespace

std::string ldap_escape(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    for (char c : value) {
        auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet >= 0x7f || kEscaped.find(c) != kEscaped.npos) out += fmt::format("\\{:02X}", octet);
        else out += c;
    }
    return out;
}

Result<std::string> expand_ldap_filter(std::string_view text, const AuthRequest& request) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = end_of_piece(text, i);
        std::string_view piece = text.substr(i, end - i);
        out += TRY(expand_escaped(piece, request, is_in_dn(piece) ? escape_twice : ldap_escape));
        if (end < text.size()) out += text[end];
        i = end + 1;
    }
    return out;
}

Result<std::string> expand_ldap_dn(std::string_view text, const AuthRequest& request) {
    return expand_escaped(text, request, ldap_escape);
}

}  // namespace culver
