// Who a login is on this machine: uid, gid, groups, home and settings, from what authd found and from the defaults
// mail_uid, mail_gid, mail_home.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib-auth/auth-master-client.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-service/worker-pool.h"

namespace culver {

struct UserOnMachine {
    WorkerIdentity identity;
    std::string home;                                            // may be empty
    std::vector<std::pair<std::string, std::string>> overrides;  // "mail_location" and other settings from the userdb
};

// Remembers name service answers for a few seconds: a name in mail_uid must not cost a file read at each login.
// One thread.
class AccountNames {
public:
    // A number, or a name of the user or group database.
    std::optional<uid_t> uid_of(const std::string& text);
    std::optional<gid_t> gid_of(const std::string& text);
    // Every group that lists `user`.
    std::vector<gid_t> groups_of(const std::string& user, gid_t gid);

private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        std::optional<std::uint32_t> number;
        std::vector<gid_t> groups;
        Clock::time_point until;
    };
    // Nothing if it is not there or too old. Clears the table when it has grown too large.
    const Entry* fresh(std::unordered_map<std::string, Entry>& table, const std::string& key);
    std::unordered_map<std::string, Entry> uids_, gids_, groups_;
};

// Errors: InvalidArgument with a detail in Dovecot's words and what to write in the configuration.
Result<UserOnMachine> resolve_user(const UserRecord& record, const Settings& settings, AccountNames& names);

}  // namespace culver
