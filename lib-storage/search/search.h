// Runs a search over the messages of a view. What the index knows is asked first, then cached header fields, then the
// messages themselves, and each only as long as the answer is open.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-storage/mailbox-view.h"
#include "lib-storage/search/query.h"

namespace culver {

struct SearchResult {
    std::vector<std::pair<Seq, Uid>> messages;  // ascending
    ModSeq highest_modseq;                      // of these messages
};

// `stop` is asked from time to time: true ends the search early (the client is gone). Messages that vanish meanwhile do
// not match. An error is one of the disk; a single message that cannot be read does not match, and is no error.
Result<SearchResult> run_search(MailboxView& view, const SearchQuery& query, const std::function<bool()>& stop);

}  // namespace culver
