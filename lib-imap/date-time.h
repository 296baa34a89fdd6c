// Dates as IMAP spells them: "1-Feb-1994" and "17-Jul-1996 02:44:25 -0700" (RFC 9051 §9 date, date-time).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib-imap/parser.h"

namespace culver {

// Both without quotes. Nothing if it is no date; month names in any case, days 1 to 31 as the month has them.
std::optional<Date> parse_date(std::string_view text);
// Seconds since 1970. The day may have a leading blank in place of a zero.
std::optional<std::int64_t> parse_date_time(std::string_view text);

}  // namespace culver
