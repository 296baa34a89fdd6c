#include "lib-auth/sql/sql-source.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

Result<std::shared_ptr<SqlSource>> SqlSource::open(const std::string& args, const DriverContext& context) {
    std::string path(trim(args));
    if (path.empty())
        return fail(ErrorCode::InvalidArgument,
                    "sql: Configuration file path not given: write \"args = /etc/dovecot/dovecot-sql.conf.ext\"");
    std::string text = TRY(context.files->read_config(path));
    auto source = std::make_shared<SqlSource>();
    auto config = parse_sql_config(text);
    if (!config) return fail(ErrorCode::InvalidArgument, fmt::format("{} {}", path, config.error().detail));
    source->config_ = std::move(*config);
    if (source->config_.driver != "sqlite")
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{}: driver = {}: only sqlite is built in", path, source->config_.driver));
    // connect = /path/to/file, or key=value words of which `path` is one.
    std::string_view connect = trim(source->config_.connect);
    if (connect.starts_with("path=")) connect.remove_prefix(5);
    if (connect.empty())
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{}: connect is missing: write \"connect = /path/to/users.sqlite\"", path));
    source->database_ = std::make_unique<SqliteDatabase>(std::string(connect));
    return source;
}

Result<std::optional<SqlRow>> SqlSource::one_row(const SqlQuery& query, const AuthRequest& request,
                                                 std::string_view what) {
    std::vector<std::string> parameters;
    for (const std::string& parameter : query.parameters)
        parameters.push_back(TRY(expand_for_request(parameter, request)));
    std::optional<SqlRow> found;
    int rows = 0;
    TRY(database_->query(query.text, parameters, [&](const SqlRow& row) {
        if (++rows == 1) found = row;
        return rows < 2;
    }));
    if (rows > 1) return fail(ErrorCode::Corrupt, fmt::format("{} query returned multiple matches", what));
    return found;
}

}  // namespace culver
