// AppPasswordFile: the SQLite file of app passwords, as doveadm changes it and authd reads it (docs/app-passwords.md).
//
// Beside it stands `<path>-last-use`, which authd writes: so authd needs no right to write the file that decides about
// logins, and nobody who logs in holds up an admin. All calls block (disk, locks of at most two seconds); thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/app-passwords/app-password.h"
#include "lib-auth/sql/sqlite-database.h"
#include "lib-base/result.h"

namespace culver {

struct AppPasswordUse {
    std::int64_t when = 0;
    std::string service, address;
};

class AppPasswordFile {
public:
    explicit AppPasswordFile(std::string path);

    // Makes the files and tables that are not there yet. `reader`: the group authd runs with; root gives the new files
    // to it, to read and (the last uses) to write. The folder is made too, if only it is
    // missing.
    Status create(std::optional<gid_t> reader);

    // Unavailable: the file is missing, locked, or no such file; the next call tries again.
    Result<std::vector<AppPassword>> of_user(std::string_view user);
    Result<std::vector<AppPassword>> all();
    // `row.id` is ignored; the new row's id. AlreadyExists: the user has one of that name; Limit: has too many. An
    // empty name becomes "app-1", "app-2" ...
    Result<AppPassword> add(AppPassword row);
    // By id or name; nothing: all of the user's. Returns what was revoked.
    Result<std::vector<AppPassword>> revoke(std::string_view user, std::optional<std::string> id_or_name);

    // By id. Empty if there is no such file yet.
    Result<std::map<std::int64_t, AppPasswordUse>> last_uses();
    // Nothing is synced and nothing waits for the disk: a crash may lose it.
    Status record_use(std::int64_t id, const AppPasswordUse& use);

    const std::string& path() const { return path_; }
    std::string last_use_path() const { return path_ + "-last-use"; }
    static constexpr std::size_t kLimitPerUser = 100;

private:
    Result<std::vector<AppPassword>> select(const std::string& where, const std::vector<std::string>& parameters);

    const std::string path_;
    SqliteDatabase rows_, uses_;
    std::mutex use_mutex_;  // one writer at a time, so that uses_ keeps one connection with its pragmas
};

}  // namespace culver
