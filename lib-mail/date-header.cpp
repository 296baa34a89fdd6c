#include "lib-mail/date-header.h"

#include <string>

#include "lib-base/text.h"
#include "lib-mail/calendar.h"
#include "lib-mail/rfc822-reader.h"

namespace culver {

namespace {

using Step = Rfc822Reader::Step;

// Reads words separated by blanks and comments; "," and ":" by themselves.
class DateReader {
public:
    explicit DateReader(std::string_view value) : reader_(value.substr(0, 1000)) { reader_.skip_blanks(); }

    std::string word() {
        std::string text;
        reader_.atom(text);
        return text;
    }
    bool take(char c) {
        if (!reader_.next_is(c)) return false;
        reader_.advance();
        reader_.skip_blanks();
        return true;
    }

private:
    Rfc822Reader reader_;
};

std::optional<int> number(std::string_view text, std::size_t digits) {
    if (text.empty() || text.size() > digits) return std::nullopt;
    const auto value = parse_uint32(text);
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
}

int zone_offset(std::string_view zone) {
    if (zone.size() == 5 && (zone[0] == '+' || zone[0] == '-')) {
        const auto hours = number(zone.substr(1, 2), 2), minutes = number(zone.substr(3, 2), 2);
        if (!hours || !minutes || *minutes > 59) return 0;
        return (*hours * 60 + *minutes) * (zone[0] == '-' ? -1 : 1);
    }
    static constexpr std::pair<std::string_view, int> kZones[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6},
                                                                  {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}};
    for (const auto& [name, hours] : kZones)
        if (equals_ignore_case(zone, name)) return hours * 60;
    return 0;  // UT, GMT, Z, the military letters (which mean nothing: RFC 5322 §4.3), and what is unknown
}

}  // namespace

std::int64_t SentDate::written_day() const {
    const std::int64_t local = seconds + std::int64_t(zone_minutes) * 60;
    return local >= 0 ? local / 86400 : -((-local + 86399) / 86400);
}

std::optional<SentDate> parse_date_header(std::string_view value) {
    DateReader reader(value);
    std::string word = reader.word();
    // "Mon," or "Mon" without its comma
    if (word.size() >= 3 && (word[0] < '0' || word[0] > '9')) {
        reader.take(',');
        word = reader.word();
    }
    const auto day = number(word, 2);
    const auto month = month_from_name(reader.word());
    const std::string year_text = reader.word();
    auto year = number(year_text, 4);
    const auto hour = number(reader.word(), 2);
    if (!day || !month || !year || !hour || !reader.take(':')) return std::nullopt;
    const auto minute = number(reader.word(), 2);
    std::optional<int> second = 0;
    if (reader.take(':')) second = number(reader.word(), 2);
    if (!minute || !second) return std::nullopt;
    if (*day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    if (year_text.size() <= 3) *year += *year < 50 && year_text.size() == 2 ? 2000 : 1900;
    SentDate date;
    date.zone_minutes = zone_offset(reader.word());
    date.seconds = days_from_civil(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second -
                   std::int64_t(date.zone_minutes) * 60;
    return date;
}

}  // namespace culver
