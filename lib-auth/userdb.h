// UserDb: one user database: uid, gid, home and more of a user. A driver is one file in userdb/ and one line in
// userdb/table.cpp. As PassDb: called from several threads, an Error means "could not tell".
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-auth/passdb.h"

namespace culver {

struct UserDbReply {
    bool found = false;
    AuthFields fields;  // uid, gid, home, ...: names resolved to numbers, variables expanded
};

class UserDb {
public:
    virtual ~UserDb() = default;
    // What lookup costs for this request.
    virtual Work work(const AuthRequest& request) = 0;
    // The user's record. Called from several threads at once. An Error means "could not tell": a temporary failure.
    virtual Result<UserDbReply> lookup(const AuthRequest& request) = 0;
    // As PassDb's.
    virtual std::optional<Result<UserDbReply>> lookup_at_once(const AuthRequest&) { return std::nullopt; }
    // True if a found user still has to be looked for in the passdbs (static), unless he has just logged in.
    virtual bool needs_existence_check() const { return false; }
    // Every user name; Unsupported for databases that cannot say.
    virtual Status iterate(const std::function<void(std::string_view user)>& visit);
};

struct UserDbDriver {
    std::string_view name;
    // InvalidArgument: the settings cannot be meant; the text says what to write.
    Result<std::unique_ptr<UserDb>> (*make)(const UserDbSettings& settings, const DriverContext& context);
};
// Every driver. Static storage.
std::span<const UserDbDriver> userdb_drivers();

// uid and gid of a reply as numbers: digits or the name of a user or group. Errors in Dovecot's words.
Result<std::string> resolve_uid(std::string_view text);
Result<std::string> resolve_gid(std::string_view text);

}  // namespace culver
