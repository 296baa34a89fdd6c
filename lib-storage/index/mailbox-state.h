// MailboxState: the one in-memory copy of a mailbox that all sessions of a process share: UIDs, flags, sizes, dates in
// flat arrays, the history of changes, and what the file names still have to be told.
//
// It changes only through apply(), with the transactions of the index log, so that every process that has read the same
// log holds the same state. Not thread-safe: MailboxImpl guards it (one writer, many readers).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib-base/result.h"
#include "lib-storage/index/message.h"
#include "lib-storage/index/transaction.h"
#include "lib-storage/types.h"

namespace culver {

// Uids first..last were expunged at `modseq`.
struct ExpungeRun {
    std::uint64_t modseq = 0;
    std::uint32_t first = 0, last = 0;
};

struct FlagChange {
    std::uint64_t modseq = 0;
    std::uint32_t uid = 0;
};

// The file of an expunged message that has yet to be removed.
struct DoomedFile {
    std::string base, odd_info;
    std::uint8_t place = 0;
    FileFlags disk = 0;
};

struct MailboxCounts {
    std::uint32_t messages = 0, unseen = 0, deleted = 0;
    std::uint32_t in_new = 0;
    std::uint64_t virtual_size = 0;
    std::uint32_t without_details = 0;  // messages whose dates or virtual size are not known
};

class MailboxState {
public:
    MailboxState();

    // --- what it holds
    std::uint32_t uid_validity = 0;
    std::string guid;  // 32 hex digits
    std::uint32_t next_uid = 1;
    std::uint32_t first_recent = 1;  // messages from here on have been shown to no session
    std::uint64_t highest_modseq = 1;
    std::uint64_t history_floor = 1;  // expunges after this modseq are all in `expunges`
    std::uint64_t journal_floor = 1;  // flag changes after this modseq are all in `journal`
    DiskStamp stamp;
    std::vector<std::string> keywords;
    std::vector<ExpungeRun> expunges;            // by modseq
    std::vector<FlagChange> journal;             // by modseq; memory only
    std::map<std::uint32_t, DoomedFile> doomed;  // uid -> file to remove
    std::vector<std::uint32_t>
        unsettled;  // uids whose file name may need a new info part; memory only, may hold doubles
    MailboxCounts counts;

    const std::vector<Message>& messages() const { return messages_; }
    // Nothing if there is no such message (any more).
    const Message* find(std::uint32_t uid) const;
    // Index of the first message, gone or not, with a uid of at least `uid`.
    std::size_t lower_bound(std::uint32_t uid) const;
    std::string_view base(const Message& message) const {
        return {names_.data() + message.name_offset, message.name_length};
    }
    const KeywordSet& keyword_set(const Message& message) const { return keyword_sets_[message.keywords]; }
    MessageFlags flags(const Message& message) const { return {message.system, keyword_set(message)}; }
    // The flags that its file name should have.
    FileFlags wanted(const Message& message) const { return to_file_flags(message.system, keyword_set(message)); }
    // A name that wanted() called for at some time since the last rename was logged: seeing it is no foreign change.
    bool was_wanted(std::uint32_t uid, FileFlags flags) const;
    std::string_view odd_info(const Message& message) const;
    std::string_view fields(std::uint32_t uid) const;
    MessageInfo info(const Message& message) const;
    std::optional<std::uint32_t> keyword_index(std::string_view name) const;

    // The message with this base name; gone ones are not found. First call builds the table.
    const Message* find_base(std::string_view base);

    // Applies one transaction. Error Corrupt if it does not parse; the state is then unusable.
    Status apply(std::string_view payload, std::uint64_t modseq);

    // --- for the snapshot
    const std::vector<KeywordSet>& keyword_sets() const { return keyword_sets_; }
    const std::unordered_map<std::uint32_t, std::string>& all_odd_infos() const { return odd_infos_; }
    const std::unordered_map<std::uint32_t, std::string>& all_fields() const { return fields_; }
    const std::vector<char>& names() const { return names_; }
    // Takes arrays that were read from a file; Corrupt if they contradict themselves.
    Status adopt(std::vector<Message> messages, std::vector<char> names, std::vector<KeywordSet> keyword_sets,
                 std::unordered_map<std::uint32_t, std::string> odd_infos,
                 std::unordered_map<std::uint32_t, std::string> fields);
    // Room for so many more messages, before a large transaction.
    void reserve(std::size_t messages, std::size_t name_bytes) {
        messages_.reserve(messages_.size() + messages);
        names_.reserve(names_.size() + name_bytes);
    }
    // Drops gone messages and unused names; memory is given back. Uids keep their order.
    void compact();
    // Every message carries `modseq`, history begins anew: what clients know from before cannot be trusted.
    void restart_history(std::uint64_t modseq);

private:
    Status apply_message(ByteReader& in, std::uint64_t modseq);
    Status apply_flags(ByteReader& in, std::uint64_t modseq);
    Status apply_expunge(ByteReader& in, std::uint64_t modseq);
    Status apply_file(ByteReader& in);
    Status apply_details(ByteReader& in);
    Status apply_keyword(ByteReader& in);
    Status apply_record(RecordType type, ByteReader in, std::uint64_t modseq);
    void set_flags(Message& message, const MessageFlags& flags);
    void add_counts(const Message& message, int sign);
    void remember_change(std::uint64_t modseq, std::uint32_t uid);
    void trim_history();
    std::uint32_t intern(const KeywordSet& keywords);
    void table_insert(std::size_t position);
    void build_table();

    std::vector<Message> messages_;  // by uid
    std::vector<char> names_;
    std::vector<KeywordSet> keyword_sets_;
    std::unordered_map<KeywordSet, std::uint32_t> keyword_set_index_;
    std::unordered_map<std::uint32_t, std::string> odd_infos_, fields_;
    std::unordered_multimap<std::uint32_t, FileFlags> formerly_wanted_;
    std::vector<std::uint32_t> table_;  // open addressing: base name -> uid, 0 = free
    std::size_t table_used_ = 0;
    std::uint64_t seed_;
};

}  // namespace culver
