// STORE and EXPUNGE: a transaction in the log; the files follow in the background.
#include <algorithm>

#include "lib-base/text.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

// The set for these names. With `create`, new names are added to the mailbox (and to dovecot-keywords for the first
// 26).
Result<KeywordSet> MailboxImpl::resolve_keywords(MailboxWriter& writer, const std::vector<std::string>& names,
                                                 bool create) {
    KeywordSet set;
    std::vector<std::string> added;
    const std::size_t limit = std::min<std::size_t>(options_.keyword_limit, kKeywordLimit);
    for (const std::string& name : names) {
        if (auto index = state_.keyword_index(name)) {
            set.set(*index);
            continue;
        }
        if (!create) continue;
        if (auto twice = std::find_if(added.begin(), added.end(),
                                      [&](const auto& other) { return equals_ignore_case(other, name); });
            twice != added.end()) {
            set.set(state_.keywords.size() + static_cast<std::size_t>(twice - added.begin()));
            continue;
        }
        if (name.empty() || name.size() > options_.keyword_length ||
            name.find_first_of(" \r\n\t\0", 0, 5) != std::string::npos)
            return fail(Error{ErrorCode::Limit, "Keyword name too long",
                              "keyword of " + std::to_string(name.size()) + " bytes refused"});
        std::size_t index = state_.keywords.size() + added.size();
        if (index >= limit)
            return fail(Error{ErrorCode::Limit, "Too many keywords in this mailbox",
                              "keyword limit reached in " + paths_.mail});
        set.set(index);
        added.push_back(name);
    }
    if (added.empty()) return set;
    std::vector<std::string> all = state_.keywords;
    all.insert(all.end(), added.begin(), added.end());
    // The file first: a letter in a name must never be without its meaning.
    if (state_.keywords.size() < kFileKeywords && !read_only_) TRY(format_->write_keywords(all, true));
    for (std::size_t i = 0; i < added.size(); ++i)
        writer.transaction.keyword(static_cast<std::uint32_t>(state_.keywords.size() + i), added[i]);
    return set;
}

namespace {

MessageFlags apply_change(MessageFlags flags, FlagOperation operation, const MessageFlags& change) {
    switch (operation) {
        case FlagOperation::Add:
            flags.system |= change.system;
            flags.keywords |= change.keywords;
            break;
        case FlagOperation::Remove:
            flags.system &= static_cast<std::uint8_t>(~change.system);
            flags.keywords &= ~change.keywords;
            break;
        case FlagOperation::Replace: flags = change; break;
    }
    return flags;
}

FlagsOperation record_operation(FlagOperation operation) {
    if (operation == FlagOperation::Add) return FlagsOperation::Add;
    return operation == FlagOperation::Remove ? FlagsOperation::Remove : FlagsOperation::Replace;
}

// The same uids, each once and in order; `sorted` holds them if `given` was not so already.
std::span<const Uid> ascending(std::span<const Uid> given, std::vector<Uid>& sorted) {
    if (std::adjacent_find(given.begin(), given.end(), [](Uid a, Uid b) { return a >= b; }) == given.end())
        return given;
    sorted.assign(given.begin(), given.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    return sorted;
}

Error read_only_error(const std::string& path) {
    return {ErrorCode::NoPermission, "Mailbox is read-only", "Mailbox " + path + " is read-only"};
}

}  // namespace

Result<StoreResult> MailboxImpl::store(std::span<const Uid> given, const StoreChange& change) {
    std::vector<Uid> sorted;
    const std::span<const Uid> uids = ascending(given, sorted);
    if (read_only_) return fail(read_only_error(paths_.mail));
    MailboxWriter writer = TRY(begin_write());
    MessageFlags flags;
    flags.system = change.system & 31U;
    flags.keywords = TRY(resolve_keywords(writer, change.keywords, change.operation != FlagOperation::Remove));
    StoreResult result;
    for (Uid uid : uids) {
        const Message* message = state_.find(uid.value);
        if (message == nullptr) continue;
        if (change.unchanged_since && message->modseq > change.unchanged_since->value) {
            result.modified.push_back(uid);
            continue;
        }
        MessageFlags now = state_.flags(*message);
        if (apply_change(now, change.operation, flags) != now) result.changed.push_back(uid);
    }
    if (!result.changed.empty())
        writer.transaction.flags(record_operation(change.operation), flags, to_ranges(result.changed));
    TRY(writer.commit());
    result.modseq = {state_.highest_modseq};
    if (!result.changed.empty()) schedule_flush();
    return result;
}

Result<ExpungeResult> MailboxImpl::expunge(std::optional<std::span<const Uid>> only) {
    if (read_only_) return fail(read_only_error(paths_.mail));
    MailboxWriter writer = TRY(begin_write());
    ExpungeResult result;
    if (only) {
        std::vector<Uid> sorted;
        for (Uid uid : ascending(*only, sorted)) {
            const Message* message = state_.find(uid.value);
            if (message != nullptr && (message->system & kDeleted) != 0) result.expunged.push_back(uid);
        }
    } else if (state_.counts.deleted > 0) {
        for (const Message& message : state_.messages())
            if (!message.is_gone() && (message.system & kDeleted) != 0) result.expunged.push_back({message.uid});
    }
    if (!result.expunged.empty()) writer.transaction.expunge(to_ranges(result.expunged));
    TRY(writer.commit());
    result.modseq = {state_.highest_modseq};
    if (!result.expunged.empty()) schedule_flush();
    return result;
}

Result<std::vector<UidRange>> MailboxImpl::expunged_since(ModSeq since) {
    auto lock = read_lock();
    std::vector<UidRange> ranges;
    if (since.value >= state_.history_floor) {
        auto first = std::partition_point(state_.expunges.begin(), state_.expunges.end(),
                                          [&](const ExpungeRun& run) { return run.modseq <= since.value; });
        for (; first != state_.expunges.end(); ++first) ranges.push_back({{first->first}, {first->last}});
        std::sort(ranges.begin(), ranges.end(), [](const UidRange& a, const UidRange& b) { return a.first < b.first; });
    } else {
        // History does not reach back: everything below the next uid that is not there.
        std::uint32_t next = 1;
        for (const Message& message : state_.messages()) {
            if (message.is_gone()) continue;
            if (message.uid > next) ranges.push_back({{next}, {message.uid - 1}});
            next = message.uid + 1;
        }
        if (next < state_.next_uid) ranges.push_back({{next}, {state_.next_uid - 1}});
        return ranges;
    }
    std::vector<UidRange> merged;
    for (const UidRange& range : ranges) {
        if (!merged.empty() && range.first.value <= merged.back().last.value + 1)
            merged.back().last = std::max(merged.back().last, range.last);
        else merged.push_back(range);
    }
    return merged;
}

}  // namespace culver
