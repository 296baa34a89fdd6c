// The configuration and the database behind passdb sql and userdb sql.
#pragma once

#include <memory>
#include <string>

#include "lib-auth/auth-request.h"
#include "lib-auth/passdb.h"
#include "lib-auth/sql/sql-config.h"
#include "lib-auth/sql/sqlite-database.h"

namespace culver {

class SqlSource {
public:
    // `args`: the path of the configuration file. The files of the context keep its text for a reload without root.
    static Result<std::shared_ptr<SqlSource>> open(const std::string& args, const DriverContext& context);

    const SqlConfig& config() const { return config_; }
    // Of several rows: a password_query must not have them (Corrupt), of a user_query the first one counts.
    enum class Rows { OnlyOne, First };
    // The row of a query; nothing if there is none.
    Result<std::optional<SqlRow>> one_row(const SqlQuery& query, const AuthRequest& request, Rows rows);
    // The same without waiting, for the event loop; nothing if it would have to.
    std::optional<Result<std::optional<SqlRow>>> one_row_at_once(const SqlQuery& query, const AuthRequest& request,
                                                                 Rows rows);
    SqliteDatabase& database() { return *database_; }

private:
    SqlConfig config_;
    std::unique_ptr<SqliteDatabase> database_;
    RowCache row_cache_{4096};
};

}  // namespace culver
