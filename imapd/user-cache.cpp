#include "imapd/user-cache.h"

#include <algorithm>

#include "lib-base/counted-fields.h"
#include "lib-base/log.h"

namespace culver {

// All that a user's settings and mail location may depend on; addresses and session only where variables use them,
// which mail_location never sensibly does.
std::string UserCache::key_of(const SessionJob& job) {
    std::string key;
    for (const std::string* part : {&job.username, &job.home, &job.uid, &job.gid}) put_field(key, *part);
    for (const auto& [name, value] : job.overrides) {
        put_field(key, name);
        put_field(key, value);
    }
    return key;
}

Result<std::shared_ptr<const Settings>> UserCache::settings_for(const SessionJob& job,
                                                                const std::shared_ptr<const Settings>& base) {
    if (job.overrides.empty()) return base;
    const std::string key = key_of(job);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = known_.find(key); found != known_.end()) return found->second.settings;
    }
    std::shared_ptr<const Settings> settings = base;
    for (const auto& [name, value] : job.overrides) {
        auto changed = settings->with_overrides({{name, value}});
        // What is no setting belongs to a plugin, as in Dovecot (quota_rule and the like).
        if (!changed && name != "mail_location") changed = settings->with_overrides({{"plugin/" + name, value}});
        if (!changed) return std::unexpected(changed.error());
        settings = std::move(*changed);
    }
    const std::lock_guard lock(mutex_);
    known_[key] = Known{key, settings, {}};
    return settings;
}

Result<std::shared_ptr<MailUser>> UserCache::open(const SessionJob& job,
                                                  const std::shared_ptr<const Settings>& settings) {
    const std::string key = key_of(job);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = known_.find(key); found != known_.end())
            if (auto user = found->second.user.lock()) return user;
    }
    MailUserIdentity identity;
    identity.username = job.username;
    identity.home = job.home;
    identity.uid = job.uid;
    identity.gid = job.gid;
    identity.service = "imap";
    identity.session = job.login.session;
    identity.local_ip = job.login.local_ip;
    identity.remote_ip = job.login.remote_ip;
    identity.settings = settings;
    std::shared_ptr<MailUser> user = TRY(MailUser::open(identity, mailboxes_));
    // A disk that cannot be written still holds mail that can be read.
    if (Status made = user->make_roots(); !made) log_error(made.error().detail);

    const std::lock_guard lock(mutex_);
    known_[key] = Known{key, settings, user};
    recent_.push_front(user);
    if (recent_.size() > kKept) {
        recent_.pop_back();
        std::erase_if(known_, [](const auto& each) { return each.second.user.expired(); });
    }
    return user;
}

void UserCache::forget_all() {
    const std::lock_guard lock(mutex_);
    known_.clear();
    recent_.clear();
}

}  // namespace culver
