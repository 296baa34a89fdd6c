// MailboxView: what one session has been told about a mailbox: which UIDs are its sequence numbers, and up to which
// modseq it knows the flags. Small when parked: UID runs and a few numbers. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lib-storage/mailbox.h"
#include "lib-storage/types.h"

namespace culver {

// What the client must be told, in this order: expunges, new counts, flags.
struct ViewChanges {
    std::vector<Seq> expunged_seqs;  // in the order to send: each number as it is after the ones before it
    std::vector<Uid> expunged_uids;  // the same messages, ascending (for VANISHED)
    std::vector<Uid> flags;          // messages whose flags changed, ascending; already known to the client
    bool count_changed = false;      // EXISTS (and RECENT) changed
    bool keywords_changed = false;   // FLAGS and PERMANENTFLAGS must be sent before
    ModSeq highest_modseq;           // of the mailbox after these changes
};

class MailboxView {
public:
    virtual ~MailboxView() = default;
    virtual Mailbox& mailbox() = 0;

    virtual std::uint32_t exists() const = 0;
    virtual std::uint32_t recent() const = 0;
    virtual bool is_recent(Uid uid) const = 0;
    virtual std::optional<Seq> first_unseen() const = 0;
    virtual Uid uid_at(Seq seq) const = 0;  // seq within 1..exists()
    virtual std::optional<Seq> seq_of(Uid uid) const = 0;
    // The uids of the view within a uid range, ascending, appended to `out`. Linear in the result.
    virtual void uids_in(UidRange range, std::vector<Uid>& out) const = 0;
    virtual ModSeq highest_modseq() const = 0;  // as told to this session
    virtual Uid uid_next() const = 0;

    // The message as the shared state has it now; nothing if it has been expunged (though the client has its number).
    virtual std::optional<MessageInfo> info(Uid uid) const = 0;
    // The same for many, in one pass under one lock: calls `visit(seq, info)` for each uid that still exists,
    // ascending.
    virtual void visit(std::span<const Uid> uids, const std::function<void(Seq, const MessageInfo&)>& visit) const = 0;
    virtual void visit_all(const std::function<void(Seq, const MessageInfo&)>& visit) const = 0;

    // Brings the view up to date and says what the client must hear. With Hold, expunged messages keep their numbers
    // (during FETCH, STORE, SEARCH: RFC 3501 §7.4.1). Refreshes the mailbox first.
    enum class Expunges { Report, Hold };
    virtual Result<ViewChanges> sync(Expunges expunges) = 0;
    // Flag changes that this session made itself and has reported (or silenced): not reported again by sync.
    virtual void mark_told(std::span<const Uid> uids, ModSeq modseq) = 0;
};

}  // namespace culver
