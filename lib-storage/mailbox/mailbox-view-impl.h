// MailboxViewImpl: see lib-storage/mailbox-view.h.
#pragma once

#include <memory>
#include <vector>

#include "lib-storage/mailbox-view.h"
#include "lib-storage/mailbox/mailbox-impl.h"
#include "lib-storage/mailbox/uid-runs.h"

namespace culver {

class MailboxViewImpl final : public MailboxView {
public:
    MailboxViewImpl(std::shared_ptr<MailboxImpl> mailbox, Mailbox::Access access)
        : mailbox_(std::move(mailbox)), access_(access) {}
    // Takes what the state holds now.
    Status fill();

    Mailbox& mailbox() override { return *mailbox_; }
    std::uint32_t exists() const override { return runs_.count(); }
    std::uint32_t recent() const override;
    bool is_recent(Uid uid) const override;
    std::optional<Seq> first_unseen() const override;
    Uid uid_at(Seq seq) const override { return {runs_.uid_at(seq.value)}; }
    std::optional<Seq> seq_of(Uid uid) const override;
    void uids_in(UidRange range, std::vector<Uid>& out) const override;
    ModSeq highest_modseq() const override { return {told_modseq_}; }
    Uid uid_next() const override { return {uid_next_}; }
    std::optional<MessageInfo> info(Uid uid) const override;
    void visit(std::span<const Uid> uids, const std::function<void(Seq, const MessageInfo&)>& visit) const override;
    void visit_all(const std::function<void(Seq, const MessageInfo&)>& visit) const override;
    Result<ViewChanges> sync(Expunges expunges) override;
    void mark_told(std::span<const Uid> uids, ModSeq modseq) override;

private:
    struct Told {
        std::uint64_t modseq;
        std::vector<Uid> uids;
    };

    bool take_new(const MailboxState& state);
    std::uint64_t find_expunged(const MailboxState& state, std::vector<Uid>& gone) const;
    void find_changed(const MailboxState& state, std::vector<Uid>& changed) const;
    bool was_told(const Message& message) const;

    std::shared_ptr<MailboxImpl> mailbox_;  // shared with the other sessions and the cache
    const Mailbox::Access access_;
    std::uint32_t uid_validity_ = 0, uid_next_ = 1;
    UidRuns runs_;
    std::vector<UidRange> recent_;       // uids that are \Recent in this session
    std::uint64_t told_modseq_ = 0;      // flags up to here are known to the client
    std::uint64_t expunged_modseq_ = 0;  // and expunges up to here
    std::size_t keyword_count_ = 0;
    std::vector<Told> told_;
};

}  // namespace culver
