// LIST and LSUB over all namespaces of a user. RFC 9051 §6.3.9, RFC 5258, RFC 6154.
#pragma once

#include <vector>

#include "lib-base/result.h"
#include "lib-storage/list/namespace-table.h"

namespace culver {

// INBOX first, then by name, children behind their parent.
Result<std::vector<ListEntry>> list_mailboxes(const NamespaceTable& table, const ListQuery& query);

}  // namespace culver
