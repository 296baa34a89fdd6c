#include "lib-mail/local-zone.h"

#include <ctime>

namespace culver {

namespace {

int offset_at(std::int64_t seconds) {
    const std::time_t time = static_cast<std::time_t>(seconds);
    std::tm local{};
    if (!localtime_r(&time, &local)) return 0;
    return static_cast<int>(local.tm_gmtoff / 60);
}

constexpr std::size_t kSlots = 1024;

}  // namespace

LocalZone::LocalZone() : slots_(kSlots) {}

int LocalZone::offset_minutes(std::int64_t seconds) {
    const std::int64_t quarter = seconds / 900;
    Slot& slot = slots_[static_cast<std::uint64_t>(quarter) % kSlots];
    if (slot.quarter != quarter) slot = {quarter, offset_at(seconds)};
    return slot.minutes;
}

std::int64_t local_midnight(std::int64_t days) {
    // The offset at the guess may be that of the other side of a change to or from summer time: ask again.
    const std::int64_t utc = days * 86400;
    const std::int64_t guess = utc - std::int64_t(offset_at(utc)) * 60;
    return utc - std::int64_t(offset_at(guess)) * 60;
}

}  // namespace culver
