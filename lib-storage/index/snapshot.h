// The snapshot, culver.index: a whole MailboxState with a checksum, and where in the log it stands
// (docs/index-format.md).
#pragma once

#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-storage/index/mailbox-state.h"

namespace culver {

// The state equals: the log `log_id` from its start, or the log `old_log_id` read up to `old_log_offset`.
struct SnapshotPosition {
    std::uint64_t log_id = 0;
    std::uint64_t old_log_id = 0, old_log_offset = 0;
};

std::string encode_snapshot(const MailboxState& state, const SnapshotPosition& position);
// Error Corrupt on anything that encode_snapshot cannot have written. `state` must be new.
Result<SnapshotPosition> decode_snapshot(std::string_view bytes, MailboxState& state);

// NotFound, Corrupt, or the machine's errors.
Result<SnapshotPosition> load_snapshot(const std::string& path, MailboxState& state);

}  // namespace culver
