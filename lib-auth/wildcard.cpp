#include "lib-auth/wildcard.h"

#include <fmt/format.h>

#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver {

bool matches_wildcard(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = pattern.npos, retry = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != pattern.npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool matches_username_filter(const std::vector<std::string>& filter, std::string_view user) {
    bool any_include = false, included = false;
    for (const std::string& word : filter) {
        if (word.starts_with('!')) {
            if (matches_wildcard(std::string_view(word).substr(1), user)) return false;
        } else {
            any_include = true;
            included = included || matches_wildcard(word, user);
        }
    }
    return included || !any_include;
}

bool is_allowed_network(std::string_view networks, std::string_view remote_ip,
                        const std::function<void(std::string why)>& refused) {
    auto address = IpAddress::parse(remote_ip);
    for (std::string_view word : split(networks, ',')) {
        word = trim(word);
        if (word.empty()) continue;
        if (word == "local") {
            if (!address) return true;
            continue;
        }
        auto network = IpNetwork::parse(word);
        if (!network) {
            refused(fmt::format("allow_nets: Invalid network '{}'", word));
            continue;
        }
        if (address && network->contains(*address)) return true;
    }
    refused(address ? fmt::format("allow_nets check failed: IP {} not in {}", remote_ip, networks)
                    : std::string("allow_nets check failed: Remote IP not known and 'local' missing"));
    return false;
}

}  // namespace culver
