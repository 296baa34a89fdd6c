#include "lib-service/account-names.h"

namespace culver {
namespace {

constexpr std::chrono::seconds kKept{10};
constexpr std::size_t kLimit = 10'000;

}  // namespace

template <typename T, typename LookUp>
T AccountNames::remember(Table<T>& table, const std::string& key, LookUp&& look_up) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (now > expires_ || users_.size() + groups_.size() + groups_of_users_.size() > kLimit) {
        users_.clear();
        groups_.clear();
        groups_of_users_.clear();
        expires_ = now + kKept;
    }
    if (const auto known = table.find(key); known != table.end()) return known->second;
    return table.emplace(key, look_up()).first->second;
}

Result<UserEntry> AccountNames::user(const std::string& name) {
    return remember(users_, name, [&] { return find_user(name); });
}

Result<gid_t> AccountNames::group(const std::string& name) {
    return remember(groups_, name, [&] { return find_group(name); });
}

std::vector<gid_t> AccountNames::groups_of(const std::string& user, gid_t gid) {
    return remember(groups_of_users_, std::to_string(gid) + ":" + user, [&] { return culver::groups_of(user, gid); });
}

}  // namespace culver
