// userdb sql: one row by user_query, its columns are the fields; iterate_query lists the users.
#include "lib-auth/sql/sql-source.h"
#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class SqlUserDb final : public UserDb {
public:
    SqlUserDb(std::shared_ptr<SqlSource> source, SqlQuery query)
        : source_(std::move(source)), query_(std::move(query)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        return to_reply(TRY(source_->one_row(query_, request, SqlSource::Rows::First)));
    }

    std::optional<Result<UserDbReply>> lookup_at_once(const AuthRequest& request) override {
        auto row = source_->one_row_at_once(query_, request, SqlSource::Rows::First);
        if (!row || !*row) return std::nullopt;
        return to_reply(**row);
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        bool named = true;
        TRY(source_->database().query(source_->config().iterate_query, {}, [&](const SqlRow& row) {
            std::string user, domain;
            for (const auto& [column, value] : row) {
                if (column == "user" || column == "username") user = value;
                if (column == "domain") domain = value;
            }
            named = !user.empty();
            if (named) visit(domain.empty() ? user : user + '@' + domain);
            return named;
        }));
        if (named) return {};
        return fail(ErrorCode::InvalidArgument, "sql: iterate_query returns no column `user` or `username`");
    }

private:
    static Result<UserDbReply> to_reply(const std::optional<SqlRow>& row) {
        UserDbReply reply;
        if (!row) return reply;
        reply.found = true;
        for (const auto& [column, value] : *row) {
            if (column == "uid") reply.fields.set(column, TRY(resolve_uid(value)));
            else if (column == "gid") reply.fields.set(column, TRY(resolve_gid(value)));
            else if (column != "password") reply.fields.set(column, value);
        }
        return reply;
    }

    std::shared_ptr<SqlSource> source_;
    SqlQuery query_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_sql(const UserDbSettings& settings, const DriverContext& context) {
    auto source = TRY(SqlSource::open(settings.args, context));
    SqlQuery query = TRY(bind_variables(source->config().user_query));
    return std::make_unique<SqlUserDb>(std::move(source), std::move(query));
}

}  // namespace culver::userdb
