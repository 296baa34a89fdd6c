#include "imapd/session.h"

#include "lib-base/assert.h"
#include "lib-imap/sequence-set.h"

namespace culver {

Reply Command::resume(Session&) {
    ASSERT(!"a command that does not wait was resumed");
    return Reply::close();
}

void Session::untagged(std::string_view line) {
    out().append("* ").append(line).append("\r\n");
    flush_if_large();
}

MailboxView& Session::view() {
    ASSERT(selected_);
    return *selected_->view;
}

Mailbox& Session::mailbox() {
    ASSERT(selected_);
    return *selected_->mailbox;
}

std::optional<std::vector<Uid>> Session::messages_of(const SequenceSet& set, Numbers numbers) {
    MailboxView& messages = view();
    std::vector<Uid> uids;
    if (numbers == Numbers::Uids) {
        const std::uint32_t last = messages.exists() ? messages.uid_at(Seq{messages.exists()}).value : 0;
        const SequenceSet settled = set.resolve(last);  // without "*"; its ranges are merged and ascending
        for (const auto& range : settled.ranges()) messages.uids_in(UidRange{Uid{range.first}, Uid{range.last}}, uids);
        return uids;
    }
    const std::uint32_t exists = messages.exists();
    if (exists == 0) return std::nullopt;
    const SequenceSet settled = set.resolve(exists);
    for (const auto& range : settled.ranges()) {
        if (range.first == 0 || range.last > exists) return std::nullopt;
        messages.uids_in(UidRange{messages.uid_at(Seq{range.first}), messages.uid_at(Seq{range.last})}, uids);
    }
    return uids;
}

void Session::enable_condstore() {
    if (condstore_) return;
    condstore_ = true;
    if (selected_) untagged("OK [HIGHESTMODSEQ " + std::to_string(view().highest_modseq().value) + "] Highest");
}

}  // namespace culver
