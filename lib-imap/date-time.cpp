#include "lib-imap/date-time.h"

#include <array>

#include "lib-base/text.h"
#include "lib-mail/calendar.h"

namespace culver {

std::int64_t Date::days() const { return days_from_civil(year, month, day); }

namespace {

// Exactly the digits of `text`, 1 to 4 of them.
std::optional<int> digits(std::string_view text) {
    if (text.empty() || text.size() > 4) return std::nullopt;
    const auto value = parse_uint32(text);
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
}

// "d-Mon-yyyy" with one or two digits of day, or a blank and one.
std::optional<Date> parse_day(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || dash == 0 || dash > 2 || text.size() != dash + 9) return std::nullopt;
    std::string_view day_text = text.substr(0, dash);
    if (dash == 2 && day_text[0] == ' ') day_text.remove_prefix(1);
    const auto day = digits(day_text);
    const auto month = month_from_name(text.substr(dash + 1, 3));
    const auto year = digits(text.substr(dash + 5, 4));
    if (!day || !month || !year || text[dash + 4] != '-') return std::nullopt;
    if (*day < 1 || *day > days_in_month(*year, *month)) return std::nullopt;
    return Date{*year, *month, *day};
}

}  // namespace

std::optional<Date> parse_date(std::string_view text) { return parse_day(text); }

std::optional<std::int64_t> parse_date_time(std::string_view text) {
    // dd-Mon-yyyy hh:mm:ss +zzzz; a day of one digit without a blank before it is understood too.
    const std::size_t blank = text.find(' ', 1);
    if (blank == std::string_view::npos || text.size() != blank + 15) return std::nullopt;
    const auto date = parse_day(text.substr(0, blank));
    const std::string_view clock = text.substr(blank + 1);
    const auto hour = digits(clock.substr(0, 2)), minute = digits(clock.substr(3, 2));
    const auto second = digits(clock.substr(6, 2));
    const auto zone_hour = digits(clock.substr(10, 2)), zone_minute = digits(clock.substr(12, 2));
    if (!date || !hour || !minute || !second || !zone_hour || !zone_minute) return std::nullopt;
    if (clock[2] != ':' || clock[5] != ':' || clock[8] != ' ') return std::nullopt;
    if (clock[9] != '+' && clock[9] != '-') return std::nullopt;
    if (*hour > 23 || *minute > 59 || *second > 60 || *zone_minute > 59 || *zone_hour > 23) return std::nullopt;
    const int offset = (*zone_hour * 60 + *zone_minute) * (clock[9] == '-' ? -1 : 1);
    return date->days() * 86400 + *hour * 3600 + *minute * 60 + *second - offset * 60;
}

}  // namespace culver
