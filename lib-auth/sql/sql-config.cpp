#include "lib-auth/sql/sql-config.h"

#include <fmt/format.h>

#include "lib-auth/settings-table.h"
#include "lib-base/text.h"

namespace culver {

Result<SqlConfig> parse_sql_config(std::string_view text, const std::string& path, const SettingsFileReader& reader) {
    SettingsReader file(text, path, reader);
    SqlConfig config;
    std::string ignored;  // settings of Dovecot's that need nothing here
    const SettingRow table[] = {
        {"driver", &config.driver},
        {"connect", &config.connect},
        {"default_pass_scheme", &config.default_pass_scheme},
        {"password_query", &config.password_query},
        {"user_query", &config.user_query},
        {"iterate_query", &config.iterate_query},
        {"update_query", &config.update_query},
        {"userdb_warning_disable", &ignored},
        {"deny_query", &ignored},
    };
    file.read(table);
    if (config.driver != "sqlite")
        file.problem("driver", fmt::format("driver = {}: only sqlite is built in", config.driver));
    // connect = /path/to/file, or key=value words of which `path` is one.
    if (config.connect.starts_with("path=")) config.connect.erase(0, 5);
    if (config.connect.empty())
        file.problem("connect", "connect is missing: write \"connect = /path/to/users.sqlite\"");
    TRY(file.finish());
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
