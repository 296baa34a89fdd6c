// passdb sql: one row by password_query; column `password` is the stored password, the others are extra fields.
#include <cstring>

#include "lib-auth/passdb/drivers.h"
#include "lib-auth/sql/sql-source.h"
#include "lib-auth/typical-password.h"
#include "lib-config/variables.h"

namespace culver::passdb {

namespace {
class SqlPassDb final : public PassDb {
public:
    SqlPassDb(std::shared_ptr<SqlSource> source, SqlQuery query, SqlQuery update)
        : source_(std::move(source)), query_(std::move(query)), update_(std::move(update)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }
    std::string default_scheme() const override { return source_->config().default_pass_scheme; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        return to_reply(TRY(source_->one_row(query_, request, SqlSource::Rows::OnlyOne)));
    }

    std::optional<Result<PassDbReply>> lookup_at_once(const AuthRequest& request) override {
        auto row = source_->one_row_at_once(query_, request, SqlSource::Rows::OnlyOne);
        if (!row || !*row) return std::nullopt;
        return to_reply(std::move(**row));
    }

    bool can_store_password() const override { return !update_.text.empty(); }

    Status store_password(const AuthRequest& request, const SecretString& stored, const SecretString& fresh) override {
        std::vector<std::string> parameters;
        for (const std::string& parameter : update_.parameters) {
            parameters.push_back(
                TRY(expand_variables(parameter, [&](std::string_view name) -> std::optional<std::string> {
                    if (name == "password_hash") return std::string(fresh.reveal());
                    if (name == "old_password_hash") return std::string(stored.reveal());
                    return request.variable(name);
                })));
        }
        return source_->database().query(update_.text, parameters, [](const SqlRow&) { return true; });
    }

    // The table cannot be looked through; of the passwords found so far one of the most frequent kind.
    std::string typical_password(const AuthRequest&) override { return typical_.password(); }

private:
    PassDbReply to_reply(std::optional<SqlRow> row) {
        PassDbReply reply;
        if (!row) return reply;
        reply.verdict = Verdict::Match;
        for (auto& [column, value] : *row) {
            if (column == "password") {
                reply.has_password = true;
                reply.password = SecretString(value);
                ::explicit_bzero(value.data(), value.size());
            } else {
                reply.fields.set(column, value);
            }
        }
        if (reply.has_password) typical_.remember(reply.password);
        return reply;
    }

    std::shared_ptr<SqlSource> source_;
    SqlQuery query_, update_;
    TypicalPassword typical_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_sql(const PassDbSettings& settings, const DriverContext& context) {
    auto source = TRY(SqlSource::open(settings.args, context));
    SqlQuery query = TRY(bind_variables(source->config().password_query));
    SqlQuery update = TRY(bind_variables(source->config().update_query));
    return std::make_unique<SqlPassDb>(std::move(source), std::move(query), std::move(update));
}

}  // namespace culver::passdb
