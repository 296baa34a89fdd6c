#include "imapd/session-log.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lib-base/log.h"
#include "lib-config/variables.h"

namespace culver {
namespace {

// In imap_logout_format %i and %o are the bytes read and written, not what they are elsewhere.
std::string long_names(std::string_view format) {
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] == '%' && i + 1 < format.size()) {
            const char next = format[++i];
            if (next == 'i') out += "%{input}";
            else if (next == 'o') out += "%{output}";
            else out.append({'%', next});
        } else {
            out += format[i];
        }
    }
    return out;
}

}  // namespace

std::string session_log_prefix(const Settings& settings, const std::string& user, const std::string& session,
                               const std::string& remote_ip) {
    UserVariables variables;
    variables.user = user;
    variables.session = session;
    variables.remote_ip = remote_ip;
    variables.service = "imap";
    auto expanded = expand_variables(settings.string("mail_log_prefix"), variables.lookup());
    return expanded ? *expanded : fmt::format("imap({})<{}><{}>: ", user, ::getpid(), session);
}

std::string logout_statistics(const Settings& settings, const SessionStats& stats, std::uint64_t bytes_in,
                              std::uint64_t bytes_out) {
    const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
        const std::pair<std::string_view, std::uint64_t> values[] = {
            {"input", bytes_in},
            {"output", bytes_out},
            {"deleted", stats.deleted},
            {"expunged", stats.expunged},
            {"trashed", stats.trashed},
            {"autoexpunged", 0},
            {"appended", stats.appended},
            {"fetch_hdr_count", stats.fetch_hdr_count},
            {"fetch_hdr_bytes", stats.fetch_hdr_bytes},
            {"fetch_body_count", stats.fetch_body_count},
            {"fetch_body_bytes", stats.fetch_body_bytes},
        };
        for (const auto& [key, value] : values)
            if (key == name) return std::to_string(value);
        return std::nullopt;
    };
    auto text = expand_variables(long_names(settings.string("imap_logout_format")), lookup);
    return text ? *text : fmt::format("in={} out={}", bytes_in, bytes_out);
}

void append_timing(std::string& out, std::chrono::nanoseconds total, std::chrono::nanoseconds waited,
                   std::chrono::nanoseconds parked) {
    const auto milliseconds = [](std::chrono::nanoseconds time) { return (time.count() + 999'999) / 1'000'000; };
    const auto running = milliseconds(total);
    const auto waiting = milliseconds(waited + parked);
    fmt::format_to(std::back_inserter(out), " ({}.{:03} + {}.{:03}", running / 1000, running % 1000, waiting / 1000,
                   waiting % 1000);
    if (const auto away = milliseconds(parked); away > 0)
        fmt::format_to(std::back_inserter(out), " + {}.{:03}", away / 1000, away % 1000);
    out.append(" secs).");
}

}  // namespace culver
