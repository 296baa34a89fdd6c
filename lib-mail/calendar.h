// Days and months of the Gregorian calendar, without the C library and its time zones.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace culver {

struct CivilTime {  // of a zone that the caller knows
    int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

// Days since 1970-01-01; months 1 to 12; the day may lie outside its month and counts on.
std::int64_t days_from_civil(int year, int month, int day);
// Seconds since 1970, split in UTC.
CivilTime civil_from_seconds(std::int64_t seconds);
int days_in_month(int year, int month);
// "jan" in any case gives 1; nothing if it is no English month of three letters.
std::optional<int> month_from_name(std::string_view name);
// "Jan" for 1.
std::string_view month_name(int month);

}  // namespace culver
