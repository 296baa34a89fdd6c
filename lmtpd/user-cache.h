// UserCache: the users that mail came for lately, opened, so that the next delivery finds settings and namespaces
// ready.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "lib-config/settings.h"
#include "lib-storage/mail-user.h"
#include "lmtpd/delivery-job.h"

namespace culver {

struct OpenUser {
    std::shared_ptr<const Settings> settings;  // as this user has them
    std::unique_ptr<MailUser> mail;
};

// Thread-safe. The key is everything that opening a user depends on: name, all fields of the user database, addresses
// (security rule M5); the session is not among it, so it is left out of the identity too.
class UserCache {
public:
    UserCache(std::shared_ptr<const Settings> settings, std::size_t limit)
        : settings_(std::move(settings)), limit_(limit) {}

    Result<std::shared_ptr<OpenUser>> open(const DeliveryJob& job);
    // New settings: all users are opened anew. Those in use live as long as their deliveries.
    void replace_settings(std::shared_ptr<const Settings> settings);
    std::shared_ptr<const Settings> settings() const;

private:
    using Entry = std::pair<std::string, std::shared_ptr<OpenUser>>;

    MailboxCache mailboxes_;    // outlives the users
    mutable std::mutex mutex_;  // guards what follows
    std::shared_ptr<const Settings> settings_;
    std::size_t limit_;
    std::list<Entry> entries_;  // the latest first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace culver
