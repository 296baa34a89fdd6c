// What a FETCH asks for: its arguments, parsed. RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 8514 (SAVEDATE).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lib-imap/body-section.h"
#include "lib-imap/sequence-set.h"

namespace culver {

class Parser;

// Answered from the index, before everything else.
enum class IndexItem : std::uint8_t { Uid, Flags, InternalDate, Size, ModSeq, Guid, SaveDate };

// Needs the message or the cache; answered in the order of the request.
struct MessageItem {
    enum class Kind : std::uint8_t { Envelope, Body, BodyStructure, Section } kind;
    BodySection section;
};

struct FetchRequest {
    SequenceSet messages;
    std::vector<IndexItem> index_items;
    std::vector<MessageItem> message_items;
    std::optional<std::uint64_t> changed_since;
    bool sets_seen = false;  // a body is read and not only peeked at
    bool has(IndexItem item) const;
    void add(IndexItem item);
};

// `uid_first`: UID FETCH, whose answers always begin with the UID.
FetchRequest parse_fetch(Parser& in, bool uid_first);

}  // namespace culver
