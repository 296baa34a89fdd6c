#include "lib-auth/sql/sql-source.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

Result<std::shared_ptr<SqlSource>> SqlSource::open(const std::string& args, const DriverContext& context) {
    std::string path(trim(args));
    if (path.empty())
        return fail(ErrorCode::InvalidArgument,
                    "sql: Configuration file path not given: write \"args = /etc/dovecot/dovecot-sql.conf.ext\"");
    auto read = [&](const std::string& name) { return context.files->read_config(name); };
    auto source = std::make_shared<SqlSource>();
    std::string text = TRY(read(path));
    source->config_ = TRY(parse_sql_config(text, path, read));
    source->database_ = std::make_unique<SqliteDatabase>(source->config_.connect);
    return source;
}

namespace {
Result<std::vector<std::string>> expand_parameters(const SqlQuery& query, const AuthRequest& request) {
    std::vector<std::string> out;
    out.reserve(query.parameters.size());
    for (const std::string& parameter : query.parameters) out.push_back(TRY(expand_for_request(parameter, request)));
    return out;
}

std::string cache_key(const std::string& text, const std::vector<std::string>& parameters) {
    std::string key = text;
    // Each with its length, so that no two lists run together.
    for (const std::string& parameter : parameters) {
        std::uint64_t size = parameter.size();
        key.append(reinterpret_cast<const char*>(&size), sizeof size);
        key += parameter;
    }
    return key;
}

// Takes the first row of a query, and counts.
struct OneRow {
    std::optional<SqlRow> found;
    int rows = 0;

    std::function<bool(const SqlRow&)> visitor() {
        return [this](const SqlRow& row) {
            if (++rows == 1) found = row;
            return rows < 2;
        };
    }
    Result<std::optional<SqlRow>> result(SqlSource::Rows wanted) {
        if (rows > 1 && wanted == SqlSource::Rows::OnlyOne)
            return fail(ErrorCode::Corrupt, "Password query returned multiple matches");
        return std::move(found);
    }
};
}  // namespace

Result<std::optional<SqlRow>> SqlSource::one_row(const SqlQuery& query, const AuthRequest& request, Rows rows) {
    OneRow row;
    TRY(database_->query(query.text, TRY(expand_parameters(query, request)), row.visitor()));
    return row.result(rows);
}

std::optional<Result<std::optional<SqlRow>>> SqlSource::one_row_at_once(const SqlQuery& query,
                                                                        const AuthRequest& request, Rows rows) {
    auto parameters = expand_parameters(query, request);
    if (!parameters) return std::nullopt;
    auto stamp = database_->stamp();
    if (!stamp) return std::nullopt;
    const std::string key = cache_key(query.text, *parameters);
    const auto now = RowCache::Clock::now();
    if (auto known = row_cache_.find(key, *stamp, now)) return Result<std::optional<SqlRow>>(std::move(known));
    OneRow row;
    if (!database_->query_at_once(query.text, *parameters, row.visitor())) return std::nullopt;
    if (row.rows == 1) row_cache_.put(key, *stamp, *row.found, now);
    return row.result(rows);
}

}  // namespace culver
