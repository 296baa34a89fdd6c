// A user with one empty mailbox, INBOX, in memory: enough to drive sessions without a disk.
#pragma once

#include <memory>

#include "lib-storage/mail-user.h"
#include "lib-storage/mailbox-view.h"

namespace culver::test {

class FakeMailbox;

// One message after the other, uids 1..n; `news` are told at the next sync.
class FakeView final : public MailboxView {
public:
    explicit FakeView(FakeMailbox& mailbox) : mailbox_(mailbox) {}
    Mailbox& mailbox() override;
    std::uint32_t exists() const override { return exists_; }
    std::uint32_t recent() const override { return 0; }
    bool is_recent(Uid) const override { return false; }
    std::optional<Seq> first_unseen() const override { return std::nullopt; }
    Uid uid_at(Seq seq) const override { return Uid{seq.value}; }
    std::optional<Seq> seq_of(Uid uid) const override { return Seq{uid.value}; }
    void uids_in(UidRange range, std::vector<Uid>& out) const override {
        for (std::uint32_t uid = std::max(1u, range.first.value); uid <= std::min(range.last.value, exists_); ++uid)
            out.push_back(Uid{uid});
    }
    ModSeq highest_modseq() const override { return ModSeq{1}; }
    Uid uid_next() const override { return Uid{exists_ + 1}; }
    std::optional<MessageInfo> info(Uid) const override { return std::nullopt; }
    void visit(std::span<const Uid>, const std::function<void(Seq, const MessageInfo&)>&) const override {}
    void visit_all(const std::function<void(Seq, const MessageInfo&)>&) const override {}
    Result<ViewChanges> sync(Expunges expunges) override;
    void mark_told(std::span<const Uid>, ModSeq) override {}

private:
    FakeMailbox& mailbox_;
    std::uint32_t exists_ = 0;
};

class FakeMailbox final : public Mailbox {
public:
    std::uint32_t messages = 0;
    std::uint32_t expunge_at_next_sync = 0;  // from the end, if expunges are reported
    std::function<void()> on_change;
    std::string appended;

    Result<std::unique_ptr<MailboxView>> open_view(Access) override { return std::make_unique<FakeView>(*this); }
    Result<MailboxStatus> status() override {
        MailboxStatus status;
        status.messages = messages;
        return status;
    }
    std::uint32_t uid_validity() const override { return 7; }
    std::string guid() const override { return std::string(32, 'a'); }
    bool is_read_only() const override { return false; }
    std::vector<std::string> keywords() const override { return {}; }
    culver::Status refresh() override { return {}; }
    Result<StoreResult> store(std::span<const Uid>, const StoreChange&) override { return StoreResult{}; }
    Result<ExpungeResult> expunge(std::optional<std::span<const Uid>>) override { return ExpungeResult{}; }
    Result<std::unique_ptr<SaveTransaction>> begin_save() override {
        class Save final : public SaveTransaction {
        public:
            explicit Save(FakeMailbox& mailbox) : mailbox_(mailbox) {}
            culver::Status begin(const SaveOptions&) override { return {}; }
            culver::Status write(std::string_view bytes) override {
                text_ += bytes;
                return {};
            }
            culver::Status end() override {
                ++count_;
                return {};
            }
            Result<SavedMessages> commit(Uids) override {
                SavedMessages saved{7, {}};
                for (; count_ > 0; --count_) saved.uids.push_back(Uid{++mailbox_.messages});
                mailbox_.appended += text_;
                return saved;
            }

        private:
            FakeMailbox& mailbox_;
            std::string text_;
            int count_ = 0;
        };
        return std::make_unique<Save>(*this);
    }
    Result<CopyResult> copy_to(Mailbox&, std::span<const Uid>) override { return CopyResult{}; }
    Result<CopyResult> move_to(Mailbox&, std::span<const Uid>, ExpungeResult*) override { return CopyResult{}; }
    Result<std::unique_ptr<MessageFile>> open_message(Uid) override { return fail(ErrorCode::NotFound, "none"); }
    Result<std::uint64_t> virtual_size(Uid) override { return 0; }
    Result<std::string> message_guid(Uid) override { return std::string(); }
    bool cached(Uid, CacheField, const std::function<void(std::string_view)>&) override { return false; }
    void cache(Uid, CacheField, std::string_view) override {}
    Result<std::vector<UidRange>> expunged_since(ModSeq) override { return std::vector<UidRange>(); }
    std::unique_ptr<Subscription> subscribe(std::function<void()> callback) override {
        on_change = std::move(callback);
        return std::make_unique<Subscription>();
    }
};

inline Mailbox& FakeView::mailbox() { return mailbox_; }
inline Result<ViewChanges> FakeView::sync(Expunges expunges) {
    ViewChanges changes;
    if (expunges == Expunges::Report) {
        for (; mailbox_.expunge_at_next_sync > 0; --mailbox_.expunge_at_next_sync) {
            changes.expunged_seqs.push_back(Seq{exists_--});
            --mailbox_.messages;
        }
    }
    changes.count_changed = exists_ != mailbox_.messages;
    exists_ = mailbox_.messages;
    return changes;
}

class FakeUser final : public MailUser {
public:
    std::shared_ptr<FakeMailbox> inbox = std::make_shared<FakeMailbox>();

    const std::string& username() const override { return name_; }
    const std::vector<Namespace>& namespaces() const override { return namespaces_; }
    Result<std::vector<ListEntry>> list(const ListQuery&) override { return std::vector<ListEntry>(); }
    Result<std::shared_ptr<Mailbox>> open_mailbox(const MailboxName& name) override {
        if (name.is_inbox()) return inbox;
        return culver::fail(Error{ErrorCode::NotFound, "Mailbox doesn't exist: " + name.utf8(), ""});
    }
    Result<std::shared_ptr<Mailbox>> open_for_delivery(const MailboxName& name, Create) override {
        return open_mailbox(name);
    }
    Result<MailboxStatus> status(const MailboxName&) override { return inbox->status(); }
    culver::Status make_roots() override { return {}; }
    culver::Status create(const MailboxName&, std::string_view) override { return {}; }
    culver::Status remove(const MailboxName&) override { return {}; }
    culver::Status rename(const MailboxName&, const MailboxName&) override { return {}; }
    culver::Status subscribe(const MailboxName&, bool) override { return {}; }
    bool exists(const MailboxName& name) override { return name.is_inbox(); }
    culver::Status subscribe_any(const MailboxName&, bool) override { return {}; }
    Result<MailboxPaths> paths(const MailboxName&) override { return MailboxPaths{}; }
    char separator_for(const MailboxName&) const override { return '/'; }
    MailboxCache& cache() override { return cache_; }

private:
    std::string name_ = "bob";
    std::vector<Namespace> namespaces_;
    MailboxCache cache_;
};

}  // namespace culver::test
