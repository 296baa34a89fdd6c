#include "lib-auth/app-passwords/app-password-file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/text.h"
#include "lib-base/unique-fd.h"

namespace culver {

namespace {
constexpr const char* kColumns = "id, user, name, secret, services, networks, created, expires";
const auto kAnyRow = [](const SqlRow&) { return true; };

// An empty file is an empty database; SQLite itself would make it readable for everybody.
Status make_file(const std::string& path, mode_t mode, std::optional<gid_t> group) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) {
        if (errno == EEXIST) return {};
        return fail_errno(fmt::format("open({})", path));
    }
    if (group && ::geteuid() == 0 && ::fchown(fd.get(), 0, *group) != 0)
        return fail_errno(fmt::format("chown({})", path));
    if (::fchmod(fd.get(), mode) != 0) return fail_errno(fmt::format("chmod({})", path));
    return {};
}

// One folder, not those above it.
Status make_folder(const std::string& path, std::optional<gid_t> group) {
    if (path.empty()) return {};
    if (::mkdir(path.c_str(), 0750) != 0) {
        if (errno == EEXIST) return {};
        return fail_errno(fmt::format("mkdir({})", path));
    }
    if (group && ::geteuid() == 0 && ::chown(path.c_str(), 0, *group) != 0)
        return fail_errno(fmt::format("chown({})", path));
    return {};
}

std::int64_t to_int64(std::string_view text) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(parse_uint64(text).value_or(0), INT64_MAX));
}

AppPassword parse_row(const SqlRow& row) {
    AppPassword out;
    for (const auto& [column, value] : row) {
        if (column == "id") out.id = to_int64(value);
        else if (column == "user") out.user = value;
        else if (column == "name") out.name = value;
        else if (column == "secret") out.secret = value;
        else if (column == "services") out.services = value;
        else if (column == "networks") out.networks = value;
        else if (column == "created") out.created = to_int64(value);
        else if (column == "expires") out.expires = to_int64(value);
    }
    return out;
}

std::string free_name(const std::vector<AppPassword>& taken) {
    for (std::size_t number = 1;; ++number) {
        std::string name = fmt::format("app-{}", number);
        if (std::none_of(taken.begin(), taken.end(), [&](const AppPassword& row) { return row.name == name; }))
            return name;
    }
}
}  // namespace

AppPasswordFile::AppPasswordFile(std::string path) : path_(std::move(path)), rows_(path_), uses_(path_ + "-last-use") {}

Status AppPasswordFile::create(std::optional<gid_t> reader) {
    TRY(make_folder(path_.substr(0, path_.rfind('/')), reader));
    TRY(make_file(path_, reader ? 0640 : 0600, reader));
    TRY(
        rows_.query("CREATE TABLE IF NOT EXISTS app_passwords ("
                    "id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, name TEXT NOT NULL, "
                    "secret TEXT NOT NULL, services TEXT NOT NULL DEFAULT '', networks TEXT NOT NULL DEFAULT '', "
                    "created INTEGER NOT NULL, expires INTEGER, UNIQUE (user, name))",
                    {}, kAnyRow));
    TRY(make_file(last_use_path(), reader ? 0660 : 0600, reader));
    return uses_.query(
        "CREATE TABLE IF NOT EXISTS last_uses (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, "
        "service TEXT NOT NULL, address TEXT NOT NULL)",
        {}, kAnyRow);
}

Result<std::vector<AppPassword>> AppPasswordFile::select(const std::string& where,
                                                         const std::vector<std::string>& parameters) {
    std::vector<AppPassword> out;
    TRY(rows_.query(fmt::format("SELECT {} FROM app_passwords {}", kColumns, where), parameters,
                    [&](const SqlRow& row) {
                        out.push_back(parse_row(row));
                        return true;
                    }));
    return out;
}

Result<std::vector<AppPassword>> AppPasswordFile::of_user(std::string_view user) {
    return select(fmt::format("WHERE user = ?1 ORDER BY id LIMIT {}", kLimitPerUser), {std::string(user)});
}

Result<std::vector<AppPassword>> AppPasswordFile::all() { return select("ORDER BY user, id", {}); }

Result<AppPassword> AppPasswordFile::add(AppPassword row) {
    auto others = TRY(of_user(row.user));
    if (others.size() >= kLimitPerUser)
        return fail(ErrorCode::Limit, fmt::format("{} has {} app passwords: revoke some", row.user, others.size()));
    if (row.name.empty()) row.name = free_name(others);
    const bool is_taken =
        std::any_of(others.begin(), others.end(), [&](const AppPassword& other) { return other.name == row.name; });
    row.id = 0;
    // Two admins at once: the second one's row is not there, by UNIQUE.
    if (!is_taken)
        TRY(
            rows_.query("INSERT INTO app_passwords (user, name, secret, services, networks, created, expires) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, '')) ON CONFLICT DO NOTHING RETURNING id",
                        {row.user, row.name, row.secret, row.services, row.networks, fmt::format("{}", row.created),
                         row.expires ? fmt::format("{}", *row.expires) : ""},
                        [&](const SqlRow& added) {
                            row.id = added.empty() ? 0 : to_int64(added[0].second);
                            return true;
                        }));
    if (row.id == 0)
        return fail(ErrorCode::AlreadyExists,
                    fmt::format("{} has an app password called {} already", row.user, row.name));
    return row;
}

Result<std::vector<AppPassword>> AppPasswordFile::revoke(std::string_view user, std::optional<std::string> id_or_name) {
    std::vector<AppPassword> gone;
    std::string where = "user = ?1";
    std::vector<std::string> parameters = {std::string(user)};
    if (id_or_name) {
        where += parse_uint64(*id_or_name) ? " AND id = CAST(?2 AS INTEGER)" : " AND name = ?2";
        parameters.push_back(*id_or_name);
    }
    TRY(rows_.query(fmt::format("DELETE FROM app_passwords WHERE {} RETURNING {}", where, kColumns), parameters,
                    [&](const SqlRow& row) {
                        gone.push_back(parse_row(row));
                        return true;
                    }));
    // An id is never given out again, so what stays here when this fails is only a little untidy.
    std::lock_guard lock(use_mutex_);
    for (const AppPassword& row : gone)
        (void)uses_.query("DELETE FROM last_uses WHERE id = CAST(?1 AS INTEGER)", {fmt::format("{}", row.id)}, kAnyRow);
    return gone;
}

Result<std::map<std::int64_t, AppPasswordUse>> AppPasswordFile::last_uses() {
    std::map<std::int64_t, AppPasswordUse> out;
    if (::access(last_use_path().c_str(), F_OK) != 0 && errno == ENOENT) return out;
    TRY(uses_.query("SELECT id, at, service, address FROM last_uses", {}, [&](const SqlRow& row) {
        if (row.size() == 4) out[to_int64(row[0].second)] = {to_int64(row[1].second), row[2].second, row[3].second};
        return true;
    }));
    return out;
}

Status AppPasswordFile::record_use(std::int64_t id, const AppPasswordUse& use) {
    std::lock_guard lock(use_mutex_);
    // No journal on the disk, so authd needs no right to make files in this folder.
    TRY(uses_.query("PRAGMA journal_mode = MEMORY", {}, kAnyRow));
    TRY(uses_.query("PRAGMA synchronous = OFF", {}, kAnyRow));
    return uses_.query("INSERT OR REPLACE INTO last_uses (id, at, service, address) VALUES (?1, ?2, ?3, ?4)",
                       {fmt::format("{}", id), fmt::format("{}", use.when), use.service, use.address}, kAnyRow);
}

}  // namespace culver
