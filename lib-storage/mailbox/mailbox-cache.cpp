// MailboxCache: the mailboxes that this process keeps open.
#include <map>
#include <mutex>

#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

struct MailboxCache::Impl {
    struct Entry {
        std::mutex opening;                    // one thread opens, the others wait for it
        std::shared_ptr<MailboxImpl> mailbox;  // shared with the sessions that use it; guarded by `opening` until set
        std::uint64_t last_used = 0;
    };
    using Key = std::pair<std::string, std::string>;

    explicit Impl(std::size_t limit) : keep(limit), background(std::make_shared<Background>()) {}

    // Closes those without users that were used longest ago. They are destroyed outside of the lock.
    std::vector<std::shared_ptr<Entry>> take_superfluous() {
        std::vector<std::shared_ptr<Entry>> closed;
        std::multimap<std::uint64_t, Key> idle;
        for (const auto& [key, entry] : entries) {
            std::unique_lock opening(entry->opening, std::try_to_lock);
            if (opening && entry.use_count() == 1 && entry->mailbox.use_count() <= 1)
                idle.emplace(entry->last_used, key);
        }
        std::size_t excess = idle.size() > keep ? idle.size() - keep : 0;
        for (const auto& [used, key] : idle) {
            if (excess-- == 0) break;
            closed.push_back(entries[key]);
            entries.erase(key);
        }
        return closed;
    }

    const std::size_t keep;
    std::mutex mutex;                               // guards entries and clock
    std::map<Key, std::shared_ptr<Entry>> entries;  // shared with threads that are opening one
    std::uint64_t clock = 0;
    std::shared_ptr<Background> background;  // shared with the mailboxes, which may outlive the cache
};

MailboxCache::MailboxCache(std::size_t keep) : impl_(std::make_unique<Impl>(keep)) {}

MailboxCache::~MailboxCache() { impl_->background->stop(); }

Result<std::shared_ptr<Mailbox>> MailboxCache::open(const MailboxPaths& paths, const MailboxOptions& options) {
    std::shared_ptr<Impl::Entry> entry;
    std::vector<std::shared_ptr<Impl::Entry>> closed;
    {
        std::lock_guard lock(impl_->mutex);
        auto& slot = impl_->entries[{paths.mail, paths.index}];
        if (slot == nullptr) slot = std::make_shared<Impl::Entry>();
        slot->last_used = ++impl_->clock;
        entry = slot;
        if (impl_->entries.size() > impl_->keep) closed = impl_->take_superfluous();
    }
    std::lock_guard opening(entry->opening);
    if (entry->mailbox == nullptr || !entry->mailbox->is_usable()) {
        auto opened = MailboxImpl::open(paths, options, impl_->background);
        if (!opened) return fail(std::move(opened).error());
        entry->mailbox = std::move(*opened);
    }
    return std::shared_ptr<Mailbox>(entry->mailbox);
}

void MailboxCache::forget(const MailboxPaths& paths) {
    std::shared_ptr<Impl::Entry> entry;
    {
        std::lock_guard lock(impl_->mutex);
        auto found = impl_->entries.find({paths.mail, paths.index});
        if (found == impl_->entries.end()) return;
        entry = found->second;
        impl_->entries.erase(found);
    }
    std::lock_guard opening(entry->opening);
    if (entry->mailbox != nullptr) entry->mailbox->abandon();
}

void MailboxCache::flush() { impl_->background->flush_all(); }

}  // namespace culver
