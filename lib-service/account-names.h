// AccountNames: what the machine says about names of users and groups, remembered for a few seconds: a name in mail_uid
// must not cost a file read at each login and delivery. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib-service/privileges.h"

namespace culver {

class AccountNames {
public:
    // As find_user, find_group and groups_of in lib-service/privileges.h.
    Result<UserEntry> user(const std::string& name_or_number);
    Result<gid_t> group(const std::string& name_or_number);
    std::vector<gid_t> groups_of(const std::string& user, gid_t gid);

private:
    using Clock = std::chrono::steady_clock;
    template <typename T>
    using Table = std::unordered_map<std::string, T>;
    template <typename T, typename LookUp>
    T remember(Table<T>& table, const std::string& key, LookUp&& look_up);

    std::mutex mutex_;  // guards what follows
    Table<Result<UserEntry>> users_;
    Table<Result<gid_t>> groups_;
    Table<std::vector<gid_t>> groups_of_users_;
    Clock::time_point expires_{};
};

}  // namespace culver
