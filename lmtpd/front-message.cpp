#include "lmtpd/front-message.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

std::string WorkerRequest::to_line() const { return fmt::format("worker\t{}\t{}", id, identity.to_words()); }

std::optional<WorkerRequest> WorkerRequest::parse(std::string_view line) {
    constexpr std::string_view kVerb = "worker\t";
    if (!line.starts_with(kVerb)) return std::nullopt;
    line.remove_prefix(kVerb.size());
    const auto tab = line.find('\t');
    auto id = parse_uint64(line.substr(0, tab));
    auto identity = tab == line.npos ? std::nullopt : WorkerIdentity::parse(line.substr(tab + 1));
    if (!id || !identity) return std::nullopt;
    return WorkerRequest{*id, std::move(*identity)};
}

std::string WorkerRefusal::to_line() const { return fmt::format("refused\t{}\t{}", id, tab_escape(text)); }

std::optional<WorkerRefusal> WorkerRefusal::parse(std::string_view line) {
    auto words = split(line, '\t');
    auto id = words.size() == 3 && words[0] == "refused" ? parse_uint64(words[1]) : std::nullopt;
    if (!id) return std::nullopt;
    return WorkerRefusal{*id, tab_unescape(words[2])};
}

std::string WorkerGrant::to_line() const { return fmt::format("channel\t{}\t{}", id, pid); }

std::optional<WorkerGrant> WorkerGrant::parse(std::string_view line) {
    auto words = split(line, '\t');
    auto id = words.size() == 3 && words[0] == "channel" ? parse_uint64(words[1]) : std::nullopt;
    auto pid = id ? parse_uint32(words[2]) : std::nullopt;
    if (!pid) return std::nullopt;
    return WorkerGrant{*id, static_cast<pid_t>(*pid)};
}

}  // namespace culver
