// The arguments of SEARCH: RFC 9051 §6.4.4, WITHIN (RFC 5032), MODSEQ (RFC 7162 §3.1.5), ESEARCH (RFC 4731).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib-imap/sequence-set.h"
#include "lib-storage/search/query.h"

namespace culver {

class Parser;

struct SearchArguments {
    bool extended = false;  // RETURN (...)
    bool min = false, max = false, all = false, count = false;
    SearchQuery query;
};

// Sequence sets in the query are kept as they are written; `resolve_sets` settles them when the mailbox is known.
SearchArguments parse_search(Parser& in);

// "*" and "n:*" in Seqs and Uids keys become numbers: the last sequence number and the last UID.
void resolve_sets(SearchKey& key, std::uint32_t last_seq, std::uint32_t last_uid);

}  // namespace culver
