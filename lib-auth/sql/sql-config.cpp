#include "lib-auth/sql/sql-config.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

namespace {
// Settings of Dovecot's that need nothing here.
constexpr std::string_view kIgnored[] = {"userdb_warning_disable", "deny_query"};

Status set(SqlConfig& config, std::string_view key, std::string value, unsigned line) {
    struct Key {
        std::string_view name;
        std::string SqlConfig::*member;
    };
    static constexpr Key kKeys[] = {
        {"driver", &SqlConfig::driver},
        {"connect", &SqlConfig::connect},
        {"default_pass_scheme", &SqlConfig::default_pass_scheme},
        {"password_query", &SqlConfig::password_query},
        {"user_query", &SqlConfig::user_query},
        {"iterate_query", &SqlConfig::iterate_query},
        {"update_query", &SqlConfig::update_query},
    };
    for (const Key& known : kKeys) {
        if (known.name != key) continue;
        config.*known.member = std::move(value);
        return {};
    }
    for (std::string_view ignored : kIgnored)
        if (ignored == key) return {};
    return fail(ErrorCode::InvalidArgument, fmt::format("line {}: Unknown setting: {}", line, key));
}
}  // namespace

Result<SqlConfig> parse_sql_config(std::string_view text) {
    SqlConfig config;
    std::string pending;
    unsigned number = 0, first = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        line = trim(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
        if (pending.empty()) {
            if (line.empty() || line.starts_with('#')) continue;
            first = number;
        }
        if (line.ends_with('\\')) {
            pending += std::string(trim(line.substr(0, line.size() - 1))) + ' ';
            continue;
        }
        pending += line;
        std::string whole;
        whole.swap(pending);
        std::size_t equals = whole.find('=');
        if (equals == whole.npos) return fail(ErrorCode::InvalidArgument, fmt::format("line {}: Missing '='", first));
        TRY(set(config, trim(std::string_view(whole).substr(0, equals)),
                std::string(trim(std::string_view(whole).substr(equals + 1))), first));
    }
    if (!pending.empty())
        return fail(ErrorCode::InvalidArgument, fmt::format("line {}: the last line ends with a backslash", first));
    return config;
}

namespace {
// The length of a %variable at the beginning of `text` (modifiers, then a letter or {name}); 0 if it is none.
std::size_t variable_length(std::string_view text) {
    std::size_t i = 1;
    while (i < text.size() && (std::string_view("0123456789-.+,").find(text[i]) != std::string_view::npos)) ++i;
    // Modifiers are letters too: the last letter of a run that ends the variable cannot be told from outside, so a run
    // is at most one modifier out of Dovecot's list and the variable's letter.
    while (i + 1 < text.size() && std::string_view("LUHNRXMDT").find(text[i]) != std::string_view::npos &&
           (text[i + 1] == '{' || ascii_lower(text[i + 1]) != ascii_upper(text[i + 1])))
        ++i;
    if (i >= text.size()) return 0;
    if (text[i] != '{') return i + 1;
    std::size_t end = text.find('}', i);
    return end == text.npos ? 0 : end + 1;
}

std::string next_parameter(SqlQuery& query, std::string parameter) {
    query.parameters.push_back(std::move(parameter));
    return fmt::format("?{}", query.parameters.size());
}
}  // namespace

Result<SqlQuery> bind_variables(std::string_view text) {
    SqlQuery query;
    for (std::size_t i = 0; i < text.size();) {
        char c = text[i];
        if (c == '\'') {
            std::string literal, quoted = "'";
            bool closed = false;
            for (++i; i < text.size() && !closed; ++i) {
                quoted += text[i];
                if (text[i] != '\'') {
                    literal += text[i];
                } else if (i + 1 < text.size() && text[i + 1] == '\'') {
                    literal += '\'';
                    quoted += '\'';
                    ++i;
                } else {
                    closed = true;
                }
            }
            if (!closed) return fail(ErrorCode::InvalidArgument, "a quote is not closed in: " + std::string(text));
            query.text += literal.find('%') == literal.npos ? quoted : next_parameter(query, std::move(literal));
        } else if (c == '%' && i + 1 < text.size() && text[i + 1] == '%') {
            query.text += '%';
            i += 2;
        } else if (c == '%') {
            std::size_t length = variable_length(text.substr(i));
            if (length == 0)
                return fail(ErrorCode::InvalidArgument, "a %variable is not complete in: " + std::string(text));
            query.text += next_parameter(query, std::string(text.substr(i, length)));
            i += length;
        } else {
            query.text += c;
            ++i;
        }
    }
    return query;
}

}  // namespace culver
