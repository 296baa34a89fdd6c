#include "lmtpd/user-cache.h"

#include "lib-base/text.h"

namespace culver {
namespace {

std::string key_of(const DeliveryJob& job) {
    std::string key = tab_escape(job.username) + "\t" + job.local_ip + "\t" + job.remote_ip;
    for (const auto& [name, value] : job.fields) key += "\t" + tab_escape(name) + "=" + tab_escape(value);
    return key;
}

}  // namespace

Result<std::shared_ptr<OpenUser>> UserCache::open(const DeliveryJob& job) {
    const std::string key = key_of(job);
    std::shared_ptr<const Settings> settings;
    {
        std::lock_guard lock(mutex_);
        auto found = by_key_.find(key);
        if (found != by_key_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
            return found->second->second;
        }
        settings = settings_;
    }
    // Opened without the lock; two threads may do it at once, then the second one's is used and the first one's is let
    // go.
    auto user = std::make_shared<OpenUser>();
    user->settings = TRY(user_settings(settings, job.fields));
    MailUserIdentity identity;
    identity.username = job.username;
    identity.uid = field_or(job.fields, "uid", settings->string("mail_uid"));
    identity.gid = field_or(job.fields, "gid", settings->string("mail_gid"));
    identity.service = "lmtp";
    identity.local_ip = job.local_ip;
    identity.remote_ip = job.remote_ip;
    identity.settings = user->settings;
    TRY(resolve_home(identity, job.fields));
    user->mail = TRY(MailUser::open(identity, mailboxes_));
    std::lock_guard lock(mutex_);
    if (settings != settings_) return user;  // a reload came in between: good for this delivery only
    if (auto found = by_key_.find(key); found != by_key_.end()) return found->second->second;
    entries_.emplace_front(key, user);
    by_key_[key] = entries_.begin();
    if (entries_.size() > limit_) {
        by_key_.erase(entries_.back().first);
        entries_.pop_back();
    }
    return user;
}

void UserCache::replace_settings(std::shared_ptr<const Settings> settings) {
    std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
    by_key_.clear();
    entries_.clear();
}

std::shared_ptr<const Settings> UserCache::settings() const {
    std::lock_guard lock(mutex_);
    return settings_;
}

}  // namespace culver
