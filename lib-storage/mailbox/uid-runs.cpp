#include "lib-storage/mailbox/uid-runs.h"

#include <algorithm>

#include "lib-base/assert.h"

namespace culver {

void UidRuns::append(std::uint32_t uid) {
    ASSERT(uid > last_uid());
    ++count_;
    if (!runs_.empty() && runs_.back().last + 1 == uid) runs_.back().last = uid;
    else runs_.push_back({uid, uid, count_});
}

std::vector<UidRuns::Run>::const_iterator UidRuns::find_run(std::uint32_t uid) const {
    return std::lower_bound(runs_.begin(), runs_.end(), uid,
                            [](const Run& run, std::uint32_t value) { return run.last < value; });
}

std::optional<std::uint32_t> UidRuns::seq_of(std::uint32_t uid) const {
    auto run = find_run(uid);
    if (run == runs_.end() || uid < run->first) return {};
    return run->seq + (uid - run->first);
}

std::uint32_t UidRuns::uid_at(std::uint32_t seq) const {
    ASSERT(seq >= 1 && seq <= count_);
    auto after = std::upper_bound(runs_.begin(), runs_.end(), seq,
                                  [](std::uint32_t value, const Run& run) { return value < run.seq; });
    const Run& run = *(after - 1);
    return run.first + (seq - run.seq);
}

void UidRuns::remove(const std::vector<Uid>& uids, std::vector<Seq>& seqs) {
    if (uids.empty()) return;
    std::vector<Run> kept;
    kept.reserve(runs_.size() + 8);
    std::uint32_t removed = 0;
    auto next = uids.begin();
    for (Run run : runs_) {
        while (next != uids.end() && next->value < run.first) ++next;
        while (next != uids.end() && next->value <= run.last) {
            std::uint32_t uid = (next++)->value;
            seqs.push_back({run.seq + (uid - run.first) - removed});
            if (uid > run.first) kept.push_back({run.first, uid - 1, run.seq - removed});
            ++removed;
            run.seq += uid - run.first + 1;
            run.first = uid + 1;
        }
        if (run.first <= run.last) kept.push_back({run.first, run.last, run.seq - removed});
    }
    runs_ = std::move(kept);
    count_ -= removed;
}

}  // namespace culver
