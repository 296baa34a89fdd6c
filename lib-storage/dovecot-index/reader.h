// Reads Dovecot 2.3's index files, and never writes them: what a mailbox that Dovecot used last keeps nowhere else.
//
// That is which messages have keywords past the 26th, and the highest modseq ever given out (docs/maildir.md). The
// files may hold any rubbish: every offset is checked, work and memory are bounded by the files' sizes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct DovecotIndexRecord {
    std::uint32_t uid = 0;
    std::vector<std::uint16_t> keywords;  // positions in DovecotIndex::keywords, ascending
};

struct DovecotIndex {
    std::uint32_t uid_validity = 0;  // 0 if the index does not know it
    std::uint32_t next_uid = 0;
    std::uint64_t highest_modseq = 0;  // never lower than what Dovecot told a client
    std::vector<std::string> keywords;
    std::vector<DovecotIndexRecord> records;  // ascending by uid; also those without keywords
};

// From dovecot.index and the dovecot.index.log behind it in `index_dir`. NotFound if Dovecot left neither; Corrupt if
// they cannot be understood.
Result<DovecotIndex> read_dovecot_index(const std::string& index_dir);

// The same from the files' contents; an empty text stands for a missing file. `previous_log` is dovecot.index.log.2.
Result<DovecotIndex> parse_dovecot_index(std::string_view index, std::string_view log, std::string_view previous_log);

}  // namespace culver
