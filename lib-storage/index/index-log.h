// IndexLog: culver.index.log, the append-only transaction log of one mailbox (docs/index-format.md).
//
// Readers follow it without a lock; append, cut and replace need the mailbox's lock. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

struct IndexLogHeader {
    std::uint64_t id = 0;                             // of this file; each replacement gets a larger one
    std::uint64_t previous_id = 0, previous_end = 0;  // the log that this one continues, and where that ended
    std::uint32_t uid_validity = 0;
};

class IndexLog {
public:
    enum class Stop {
        End,      // everything was read
        Torn,     // an unfinished transaction stands at the end: somebody is writing, or died while writing
        Corrupt,  // bytes that are no transaction
    };
    static constexpr std::uint64_t kHeaderSize = 64;
    static constexpr std::uint32_t kTransactionLimit = 1U << 30;

    // NotFound if there is none, Corrupt if its header is not ours.
    static Result<IndexLog> open(const std::string& path);
    // Replaces `path` by an empty log, atomically. Needs the lock.
    static Result<IndexLog> create(const std::string& path, const IndexLogHeader& header, unsigned mode, bool sync);

    const IndexLogHeader& header() const { return header_; }
    // Up to here transactions were read or written.
    std::uint64_t offset() const { return offset_; }
    void set_offset(std::uint64_t offset) { offset_ = offset; }

    // Hands each complete transaction behind offset() to `apply`, in order, and moves offset() behind it.
    using Apply = std::function<Status(std::string_view payload, std::uint64_t modseq)>;
    Result<Stop> read(const Apply& apply);

    struct Condition {
        std::uint64_t size = 0;
        bool replaced = false;  // another file has this name now, or none
    };
    Result<Condition> condition() const;

    // Needs the lock, with everything read. On failure (full disk) the file is as before.
    Status append(std::string_view payload, std::uint64_t modseq, bool sync);
    // Cuts a torn end off. Needs the lock.
    Status cut();

private:
    Status read_header(const std::string& path);

    UniqueFd fd_;
    IndexLogHeader header_;
    std::uint64_t offset_ = kHeaderSize;
};

// Pure: what the next bytes are. On End `payload` and `modseq` are set and `length` is the transaction's size in the
// file.
struct ParsedTransaction {
    std::string_view payload;
    std::uint64_t modseq = 0, length = 0;
};
IndexLog::Stop parse_transaction(std::string_view bytes, ParsedTransaction& transaction);

}  // namespace culver
