// The Date header: when a message was sent. RFC 5322 §3.3 with its obsolete forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace culver {

struct SentDate {
    std::int64_t seconds = 0;  // since 1970, UTC
    int zone_minutes = 0;      // east of UTC, as written
    // The day that is written in the header, whatever the zone: days since 1970-01-01.
    std::int64_t written_day() const;
};

// Nothing if it is no date. The day of the week is not checked; two-digit years are understood (RFC 5322 §4.3).
std::optional<SentDate> parse_date_header(std::string_view value);

}  // namespace culver
