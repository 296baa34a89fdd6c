// dovecot-uidlist as anybody may have left it: parsed, written again, parsed to the same.
#include "lib-storage/maildir/uidlist.h"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    auto list = culver::parse_uidlist(text);
    if (!list) return 0;
    std::string again = culver::format_uidlist_header(
        list->uid_validity, list->next_uid, list->guid.empty() ? std::string(32, '0') : list->guid, list->other_fields);
    for (const auto& entry : list->entries) culver::append_uidlist_line(again, entry.uid, entry.fields, entry.name);
    auto second = culver::parse_uidlist(again);
    if (!second || second->entries.size() != list->entries.size() || second->next_uid != list->next_uid) std::abort();
    return 0;
}
