// The offset of the local time zone from UTC at a moment, without asking the time zone database for every message.
#pragma once

#include <cstdint>
#include <vector>

namespace culver {

class LocalZone {
public:
    LocalZone();
    // Minutes east of UTC. Remembers its answers by quarters of an hour, in a table of fixed size.
    int offset_minutes(std::int64_t seconds);

private:
    struct Slot {
        std::int64_t quarter = INT64_MIN;
        int minutes = 0;
    };
    std::vector<Slot> slots_;
};

// The moment when a day (days since 1970-01-01) begins in the local zone.
std::int64_t local_midnight(std::int64_t days);

}  // namespace culver
