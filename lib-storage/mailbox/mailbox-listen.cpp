// Who wants to hear of changes, and how they are noticed.
//
// Ending a subscription waits for a call that is under way; so a callback only passes the word on: it neither ends a
// subscription nor uses the mailbox.
#include <algorithm>

#include "lib-base/log.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

class MailboxImpl::SubscriptionImpl final : public Mailbox::Subscription {
public:
    SubscriptionImpl(std::shared_ptr<MailboxImpl> mailbox, std::function<void()> callback)
        : on_change(std::move(callback)), mailbox_(std::move(mailbox)) {}
    ~SubscriptionImpl() override {
        std::lock_guard lock(mailbox_->subscriptions_mutex_);
        std::erase(mailbox_->subscriptions_, this);
        if (mailbox_->subscriptions_.empty() && mailbox_->watching_) {
            mailbox_->background_->unwatch(mailbox_.get());
            mailbox_->watching_ = false;
        }
    }

    const std::function<void()> on_change;
    bool armed = true;  // guarded by subscriptions_mutex_

private:
    std::shared_ptr<MailboxImpl> mailbox_;  // shared with its sessions: a subscription keeps the mailbox open
};

std::unique_ptr<Mailbox::Subscription> MailboxImpl::subscribe(std::function<void()> on_change) {
    auto subscription = std::make_unique<SubscriptionImpl>(shared_from_this(), std::move(on_change));
    std::lock_guard lock(subscriptions_mutex_);
    subscriptions_.push_back(subscription.get());
    if (!watching_) {
        std::vector<std::string> directories = {paths_.mail + "/new", paths_.mail + "/cur"};
        if (has_index_files()) directories.push_back(paths_.index);
        watching_ = true;
        if (!background_->watch(weak_from_this(), directories))
            log_warning("Mailbox " + paths_.mail +
                        ": the kernel gives no more inotify watches; changes by other programs show only at "
                        "the next command (raise fs.inotify.max_user_watches and max_user_instances)");
    }
    return subscription;
}

bool MailboxImpl::is_interesting(int which, std::string_view name) const {
    if (which == 2) return name == "culver.index.log";
    return !name.empty() && name[0] != '.';
}

void MailboxImpl::on_directory_event() {
    if (Status refreshed = refresh(); !refreshed && refreshed.error().code == ErrorCode::NotFound) notify();
}

void MailboxImpl::notify() {
    std::lock_guard lock(subscriptions_mutex_);
    for (SubscriptionImpl* subscription : subscriptions_)
        if (std::exchange(subscription->armed, false)) subscription->on_change();
}

void MailboxImpl::views_synced() {
    std::lock_guard lock(subscriptions_mutex_);
    for (SubscriptionImpl* subscription : subscriptions_) subscription->armed = true;
}

}  // namespace culver
