// UidRuns: the sequence numbers of one session, as runs of consecutive uids. Small: a mailbox without holes is one run.
// A value type; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lib-storage/types.h"

namespace culver {

class UidRuns {
public:
    struct Run {
        std::uint32_t first = 0, last = 0;
        std::uint32_t seq = 0;  // sequence number of `first`
    };

    std::uint32_t count() const { return count_; }
    std::uint32_t last_uid() const { return runs_.empty() ? 0 : runs_.back().last; }
    const std::vector<Run>& runs() const { return runs_; }

    // `uid` must be above all others.
    void append(std::uint32_t uid);
    bool contains(std::uint32_t uid) const { return seq_of(uid).has_value(); }
    std::optional<std::uint32_t> seq_of(std::uint32_t uid) const;
    std::uint32_t uid_at(std::uint32_t seq) const;  // seq within 1..count()
    // Ascending; those that are not there are ignored. Appends to `seqs` the number of each at the moment of its
    // removal, when they are removed one after the other from the first to the last.
    void remove(const std::vector<Uid>& uids, std::vector<Seq>& seqs);
    // The first run that ends at or behind `uid`.
    std::vector<Run>::const_iterator find_run(std::uint32_t uid) const;

private:
    std::vector<Run> runs_;
    std::uint32_t count_ = 0;
};

}  // namespace culver
