// The UIDVALIDITY of new mailboxes: one larger than any that this user ever had, so that a mailbox made again under an
// old name is not mistaken for it (RFC 9051 §2.3.1.1). Dovecot's files: dovecot-uidvalidity holds the last one as 8 hex
// digits; an empty file dovecot-uidvalidity.<hex> beside it is what processes race for.
#pragma once

#include <cstdint>
#include <string>

#include "lib-base/result.h"

namespace culver {

// Takes the next number: max(now, last + 1). Safe between processes; on return the claim is on disk. `root_control`
// must exist.
Result<std::uint32_t> next_uid_validity(const std::string& root_control, unsigned file_mode);

}  // namespace culver
