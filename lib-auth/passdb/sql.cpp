// passdb sql: one row by password_query; column `password` is the stored password, the others are extra fields.
#include <cstring>
#include <mutex>

#include "lib-auth/passdb/drivers.h"
#include "lib-auth/sql/sql-source.h"

namespace culver::passdb {

namespace {
class SqlPassDb final : public PassDb {
public:
    SqlPassDb(std::shared_ptr<SqlSource> source, SqlQuery query)
        : source_(std::move(source)), query_(std::move(query)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }
    std::string default_scheme() const override { return source_->config().default_pass_scheme; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        PassDbReply reply;
        auto row = TRY(source_->one_row(query_, request, "Password"));
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
        if (reply.has_password) remember_typical(reply.password);
        return reply;
    }

    // The table cannot be looked through; the last password found has the kind that most have.
    std::string typical_password(const AuthRequest&) override {
        std::lock_guard lock(mutex_);
        return std::string(typical_.reveal());
    }

private:
    void remember_typical(const SecretString& password) {
        std::lock_guard lock(mutex_);
        if (typical_.empty()) typical_ = password;
    }

    std::shared_ptr<SqlSource> source_;
    SqlQuery query_;
    std::mutex mutex_;  // guards typical_
    SecretString typical_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_sql(const PassDbSettings& settings, const DriverContext& context) {
    auto source = TRY(SqlSource::open(settings.args, context));
    SqlQuery query = TRY(bind_variables(source->config().password_query));
    return std::make_unique<SqlPassDb>(std::move(source), std::move(query));
}

}  // namespace culver::passdb
