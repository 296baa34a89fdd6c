// UserCache: the users of a worker's sessions. Sessions of one user share one MailUser, and a user who comes back soon
// finds namespaces and settings as they were left. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "imapd/session-job.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-storage/mail-user.h"

namespace culver {

class UserCache {
public:
    explicit UserCache(MailboxCache& mailboxes) : mailboxes_(mailboxes) {}

    // The worker's settings with what the userdb said on top.
    Result<std::shared_ptr<const Settings>> settings_for(const SessionJob& job,
                                                         const std::shared_ptr<const Settings>& base);
    // Opens the user's mail, or shares it.
    Result<std::shared_ptr<MailUser>> open(const SessionJob& job, const std::shared_ptr<const Settings>& settings);
    // After a reload.
    void forget_all();

private:
    // So many users stay open when their last session has gone.
    static constexpr std::size_t kKept = 64;
    struct Known {
        std::string key;
        std::shared_ptr<const Settings> settings;  // shared with sessions
        std::weak_ptr<MailUser> user;
    };
    static std::string key_of(const SessionJob& job);

    MailboxCache& mailboxes_;
    std::mutex mutex_;  // guards what follows
    std::unordered_map<std::string, Known> known_;
    std::list<std::shared_ptr<MailUser>> recent_;  // shared: kept open for a while; newest first
};

}  // namespace culver
