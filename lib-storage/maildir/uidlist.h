// dovecot-uidlist: which file has which UID. Reads versions 1 and 3, writes version 3 (docs/maildir.md).
//
// The file only grows between rewrites: the N of its header goes stale, lines of expunged messages stay. Everything
// here except parse_uidlist must be called under the mailbox's lock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct UidlistEntry {
    std::uint32_t uid = 0;
    std::string_view fields;  // "G.. W.." as they stand, without the blanks around; usually empty
    std::string_view name;    // base name
};

struct Uidlist {
    std::uint32_t uid_validity = 0;
    std::uint32_t next_uid = 1;         // larger than every uid of the file
    std::string guid;                   // 32 hex digits or empty
    std::string other_fields;           // header fields that Culver does not know
    std::vector<UidlistEntry> entries;  // ascending; views into the parsed text
    std::size_t valid_length = 0;       // bytes up to the last complete line: what follows was torn off by a crash
    std::size_t broken_lines = 0;       // lines that were skipped
    bool needs_rewrite = false;         // version 1, broken or duplicate lines
};

// Error Corrupt if the header cannot be read. `text` must outlive the result.
Result<Uidlist> parse_uidlist(std::string_view text);

std::string format_uidlist_header(std::uint32_t uid_validity, std::uint32_t next_uid, std::string_view guid,
                                  std::string_view other_fields = {});
void append_uidlist_line(std::string& out, std::uint32_t uid, std::string_view fields, std::string_view name);

// The value of field `letter` ("W123" -> "123"); empty if there is none.
std::string_view uidlist_field(std::string_view fields, char letter);

}  // namespace culver
