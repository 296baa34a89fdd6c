#include "lib-storage/mailbox/mailbox-view-impl.h"

#include <algorithm>

#include "lib-base/log.h"

namespace culver {

Result<std::unique_ptr<MailboxView>> MailboxImpl::open_view(Access access) {
    TRY(refresh_if_possible());
    if (access == Access::ReadWrite) move_new_messages();
    auto view = std::make_unique<MailboxViewImpl>(shared_from_this(), access);
    TRY(view->fill());
    return std::unique_ptr<MailboxView>(std::move(view));
}

Status MailboxViewImpl::fill() {
    TRY(mailbox_->make_uids_durable());
    {
        auto lock = mailbox_->read_lock();
        const MailboxState& state = mailbox_->state();
        uid_validity_ = state.uid_validity;
        take_new(state);
        told_modseq_ = expunged_modseq_ = state.highest_modseq;
        keyword_count_ = state.keywords.size();
    }
    if (access_ == Mailbox::Access::ReadWrite && !recent_.empty()) return mailbox_->claim_recent();
    return {};
}

// Appends the messages that came since, and remembers which of them are \Recent here.
bool MailboxViewImpl::take_new(const MailboxState& state) {
    const auto& messages = state.messages();
    bool any = false;
    for (std::size_t i = state.lower_bound(uid_next_); i < messages.size(); ++i) {
        if (messages[i].is_gone()) continue;
        const std::uint32_t uid = messages[i].uid;
        runs_.append(uid);
        any = true;
        if (uid < state.first_recent) continue;
        if (!recent_.empty() && recent_.back().last.value + 1 == uid) recent_.back().last = {uid};
        else recent_.push_back({{uid}, {uid}});
    }
    uid_next_ = std::max(uid_next_, state.next_uid);
    return any;
}

Status MailboxImpl::claim_recent() {
    if (read_only_) return {};
    {
        auto lock = read_lock();
        if (state_.first_recent >= state_.next_uid) return {};
    }
    MailboxWriter writer = TRY(begin_write());
    if (state_.first_recent < state_.next_uid) writer.transaction.recent({state_.next_uid});
    if (Status committed = writer.commit(); !committed)
        log_debug(committed.error().detail);  // the next session calls them recent, too
    return {};
}

// A full disk keeps nobody from reading what is known.
Status MailboxImpl::refresh_if_possible() {
    Status refreshed = refresh();
    if (refreshed) {
        refresh_failed_ = false;
        return {};
    }
    if (refreshed.error().code == ErrorCode::NotFound || refreshed.error().code == ErrorCode::Corrupt) return refreshed;
    if (!refresh_failed_.exchange(true))
        log_error("Mailbox " + paths_.mail + ": changes by others cannot be taken in: " + refreshed.error().detail);
    return {};
}

std::uint32_t MailboxViewImpl::recent() const {
    std::uint32_t count = 0;
    for (const UidRange& range : recent_)
        for (auto run = runs_.find_run(range.first.value); run != runs_.runs().end() && run->first <= range.last.value;
             ++run)
            count += std::min(run->last, range.last.value) - std::max(run->first, range.first.value) + 1;
    return count;
}

bool MailboxViewImpl::is_recent(Uid uid) const {
    auto range = std::lower_bound(recent_.begin(), recent_.end(), uid,
                                  [](const UidRange& r, Uid value) { return r.last < value; });
    return range != recent_.end() && range->first <= uid;
}

std::optional<Seq> MailboxViewImpl::first_unseen() const {
    auto lock = mailbox_->read_lock();
    const MailboxState& state = mailbox_->state();
    if (state.counts.unseen == 0) return {};
    for (const Message& message : state.messages())
        if (!message.is_gone() && (message.system & kSeen) == 0)
            if (auto seq = runs_.seq_of(message.uid)) return Seq{*seq};
    return {};
}

std::optional<Seq> MailboxViewImpl::seq_of(Uid uid) const {
    if (auto seq = runs_.seq_of(uid.value)) return Seq{*seq};
    return {};
}

void MailboxViewImpl::uids_in(UidRange range, std::vector<Uid>& out) const {
    for (auto run = runs_.find_run(range.first.value); run != runs_.runs().end() && run->first <= range.last.value;
         ++run)
        for (std::uint64_t uid = std::max(run->first, range.first.value); uid <= std::min(run->last, range.last.value);
             ++uid)
            out.push_back({static_cast<std::uint32_t>(uid)});
}

std::optional<MessageInfo> MailboxViewImpl::info(Uid uid) const {
    (void)mailbox_->fill_details(std::span(&uid, 1));
    auto lock = mailbox_->read_lock();
    const Message* message = mailbox_->state().find(uid.value);
    if (message == nullptr) return {};
    return mailbox_->state().info(*message);
}

void MailboxViewImpl::visit(std::span<const Uid> uids,
                            const std::function<void(Seq, const MessageInfo&)>& visit) const {
    (void)mailbox_->fill_details(uids);
    auto lock = mailbox_->read_lock();
    const MailboxState& state = mailbox_->state();
    const auto& messages = state.messages();
    std::size_t next = 0;
    for (Uid uid : uids) {
        // Usually the next one; a search only after a gap.
        if (next >= messages.size() || messages[next].uid != uid.value) next = state.lower_bound(uid.value);
        if (next >= messages.size() || messages[next].uid != uid.value) continue;
        const Message& message = messages[next++];
        if (message.is_gone()) continue;
        if (auto seq = runs_.seq_of(uid.value)) visit({*seq}, state.info(message));
    }
}

void MailboxViewImpl::visit_all(const std::function<void(Seq, const MessageInfo&)>& visit) const {
    (void)mailbox_->fill_details({});
    auto lock = mailbox_->read_lock();
    const MailboxState& state = mailbox_->state();
    const auto& messages = state.messages();
    for (const UidRuns::Run& run : runs_.runs())
        for (std::size_t i = state.lower_bound(run.first); i < messages.size() && messages[i].uid <= run.last; ++i)
            if (!messages[i].is_gone()) visit({run.seq + (messages[i].uid - run.first)}, state.info(messages[i]));
}

// --- changes

bool MailboxViewImpl::was_told(const Message& message) const {
    for (const Told& told : told_)
        if (told.modseq == message.modseq && std::binary_search(told.uids.begin(), told.uids.end(), Uid{message.uid}))
            return true;
    return false;
}

// Known messages that are gone, ascending. Returns the modseq of the first expunge found.
std::uint64_t MailboxViewImpl::find_expunged(const MailboxState& state, std::vector<Uid>& gone) const {
    std::uint64_t first_modseq = UINT64_MAX;
    if (expunged_modseq_ >= state.history_floor) {
        auto run = std::partition_point(state.expunges.begin(), state.expunges.end(),
                                        [&](const ExpungeRun& entry) { return entry.modseq <= expunged_modseq_; });
        if (run != state.expunges.end()) first_modseq = run->modseq;
        for (; run != state.expunges.end(); ++run) uids_in({{run->first}, {run->last}}, gone);
        std::sort(gone.begin(), gone.end());
        gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
    } else {
        first_modseq = expunged_modseq_ + 1;
        for (const UidRuns::Run& run : runs_.runs()) {
            std::size_t i = state.lower_bound(run.first);
            for (std::uint64_t uid = run.first; uid <= run.last; ++uid) {
                while (i < state.messages().size() && state.messages()[i].uid < uid) ++i;
                if (i == state.messages().size() || state.messages()[i].uid != uid || state.messages()[i].is_gone())
                    gone.push_back({static_cast<std::uint32_t>(uid)});
            }
        }
    }
    return first_modseq;
}

void MailboxViewImpl::find_changed(const MailboxState& state, std::vector<Uid>& changed) const {
    auto consider = [&](const Message& message) {
        if (message.modseq > told_modseq_ && runs_.contains(message.uid) && !was_told(message))
            changed.push_back({message.uid});
    };
    if (told_modseq_ < state.journal_floor) {
        for (const Message& message : state.messages())
            if (!message.is_gone()) consider(message);
        return;
    }
    auto change = std::partition_point(state.journal.begin(), state.journal.end(),
                                       [&](const FlagChange& entry) { return entry.modseq <= told_modseq_; });
    for (; change != state.journal.end(); ++change)
        if (const Message* message = state.find(change->uid)) consider(*message);
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
}

Result<ViewChanges> MailboxViewImpl::sync(Expunges expunges) {
    mailbox_->views_synced();
    TRY(mailbox_->refresh_if_possible());
    TRY(mailbox_->make_uids_durable());
    ViewChanges changes;
    {
        auto lock = mailbox_->read_lock();
        const MailboxState& state = mailbox_->state();
        if (state.uid_validity != uid_validity_)
            return fail(
                Error{ErrorCode::Corrupt, "UIDVALIDITY changed, select the mailbox again", "UIDVALIDITY changed"});
        changes.highest_modseq = {state.highest_modseq};
        if (state.highest_modseq != told_modseq_ || state.highest_modseq != expunged_modseq_ ||
            uid_next_ != state.next_uid) {
            const std::uint64_t first_expunge = find_expunged(state, changes.expunged_uids);
            if (expunges == Expunges::Report) {
                runs_.remove(changes.expunged_uids, changes.expunged_seqs);
                expunged_modseq_ = state.highest_modseq;
            } else if (!changes.expunged_uids.empty()) {
                changes.expunged_uids.clear();
                changes.highest_modseq = {std::min(state.highest_modseq, first_expunge - 1)};
            }
            find_changed(state, changes.flags);
            changes.count_changed = take_new(state);
            told_modseq_ = state.highest_modseq;
            told_.clear();
        }
        changes.keywords_changed = state.keywords.size() != keyword_count_;
        keyword_count_ = state.keywords.size();
    }
    if (changes.count_changed && access_ == Mailbox::Access::ReadWrite) {
        TRY(mailbox_->claim_recent());
        mailbox_->move_new_messages();
    }
    return changes;
}

void MailboxViewImpl::mark_told(std::span<const Uid> uids, ModSeq modseq) {
    Told told{modseq.value, {uids.begin(), uids.end()}};
    std::sort(told.uids.begin(), told.uids.end());
    told_.push_back(std::move(told));
}

}  // namespace culver
