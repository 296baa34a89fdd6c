#include "lmtpd/front-message.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

std::string WorkerRequest::to_line() const {
    std::string groups;
    for (gid_t group : identity.groups) groups += (groups.empty() ? "" : ",") + std::to_string(group);
    return fmt::format("worker\t{}\t{}\t{}\t{}\t{}", id, identity.uid, identity.gid, groups,
                       tab_escape(identity.chroot));
}

std::optional<WorkerRequest> WorkerRequest::parse(std::string_view line) {
    auto words = split(line, '\t');
    if (words.size() != 6 || words[0] != "worker") return std::nullopt;
    auto id = parse_uint64(words[1]);
    auto uid = parse_uint32(words[2]), gid = parse_uint32(words[3]);
    if (!id || !uid || !gid) return std::nullopt;
    WorkerRequest request{*id, {*uid, *gid, {}, tab_unescape(words[5])}};
    if (words[4].empty()) return request;
    for (std::string_view group : split(words[4], ',')) {
        auto number = parse_uint32(group);
        if (!number) return std::nullopt;
        request.identity.groups.push_back(*number);
    }
    return request;
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
