#include "lib-service/worker-identity.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

std::string WorkerIdentity::to_words() const {
    return fmt::format("{}\t{}\t{}\t{}", uid, gid, fmt::join(groups, ","), tab_escape(chroot));
}

std::optional<WorkerIdentity> WorkerIdentity::parse(std::string_view text) {
    const auto words = split(text, '\t');
    if (words.size() != 4) return std::nullopt;
    const auto uid = parse_uint32(words[0]), gid = parse_uint32(words[1]);
    if (!uid || !gid) return std::nullopt;
    WorkerIdentity identity{*uid, *gid, {}, tab_unescape(words[3])};
    if (words[2].empty()) return identity;
    for (std::string_view group : split(words[2], ',')) {
        const auto number = parse_uint32(group);
        if (!number) return std::nullopt;
        identity.groups.push_back(*number);
    }
    return identity;
}

}  // namespace culver
