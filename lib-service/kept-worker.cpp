#include "lib-service/kept-worker.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

KeptWorkerLine KeptWorkerLine::of(const KeptWorker& worker) {
    return {worker.pid, worker.channel.get(), worker.pidfd.get(), worker.about};
}

std::string KeptWorkerLine::to_line() const {
    return fmt::format("{}\t{}\t{}\t{}", pid, channel, pidfd, tab_escape(about));
}

std::optional<KeptWorkerLine> KeptWorkerLine::parse(std::string_view line) {
    constexpr std::uint32_t kLargest = 0x7fffffff;
    const auto fields = split(line, '\t');
    if (fields.size() != 4) return std::nullopt;
    const auto pid = parse_uint32(fields[0]), channel = parse_uint32(fields[1]), pidfd = parse_uint32(fields[2]);
    if (!pid || !channel || !pidfd || *pid == 0 || *pid > kLargest || *channel > kLargest || *pidfd > kLargest)
        return std::nullopt;
    return KeptWorkerLine{static_cast<pid_t>(*pid), static_cast<int>(*channel), static_cast<int>(*pidfd),
                          tab_unescape(fields[3])};
}

}  // namespace culver
