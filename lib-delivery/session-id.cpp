#include "lib-delivery/session-id.h"

#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "lib-base/text.h"

namespace culver {
namespace {

void put_uint32(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
}

std::string system_hostname() {
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    std::string host = name;
    if (host.find('.') != std::string::npos) return host;
    addrinfo hints{}, *found = nullptr;
    hints.ai_flags = AI_CANONNAME;
    if (::getaddrinfo(name, nullptr, &hints, &found) == 0 && found) {
        if (found->ai_canonname && std::string_view(found->ai_canonname).find('.') != std::string_view::npos)
            host = found->ai_canonname;
        ::freeaddrinfo(found);
    }
    return host;
}

std::uint32_t host_hash() {
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    std::uint32_t hash = 2166136261u;  // FNV-1a
    for (const char* c = name; *c; ++c) hash = (hash ^ static_cast<unsigned char>(*c)) * 16777619u;
    return hash;
}

}  // namespace

std::string new_session_id() {
    // Strictly growing, so that two calls within the clock's grain differ.
    static std::atomic<std::uint64_t> last{0};
    static const std::uint32_t host = host_hash();
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::uint64_t stamp =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
    std::uint64_t previous = last.load();
    do stamp = stamp > previous ? stamp : previous + 1;
    while (!last.compare_exchange_weak(previous, stamp));
    std::string raw;
    put_uint32(raw, static_cast<std::uint32_t>(stamp % 1'000'000'000u));
    put_uint32(raw, static_cast<std::uint32_t>(stamp / 1'000'000'000u));
    put_uint32(raw, static_cast<std::uint32_t>(::getpid()));
    put_uint32(raw, host);
    return base64_encode(raw).substr(0, 22);
}

std::string own_hostname(const std::string& configured) {
    static const std::string system = system_hostname();
    return configured.empty() ? system : configured;
}

std::string header_date() {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    const long minutes = std::abs(local.tm_gmtoff) / 60;
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} {}{:02}{:02}", kDays[local.tm_wday], local.tm_mday,
                       kMonths[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
                       local.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace culver
