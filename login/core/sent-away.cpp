#include "login/core/sent-away.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/client-network.h"

namespace culver {

bool SentAway::note(const IpAddress& client) {
    const std::string network = client_network_name(client);
    if (networks_.size() < kNetworks || networks_.contains(network)) ++networks_[network];
    return ++count_ <= kLines;
}

std::string SentAway::take() {
    const auto most = std::ranges::max_element(networks_, {}, [](const auto& network) { return network.second; });
    const std::size_t known = networks_.size();
    std::string text = fmt::format("{} from ", count_);
    if (known == 1) text += most->first;
    else if (most != networks_.end())
        text += fmt::format("{}{} networks, most of them from {}", known == kNetworks ? "at least " : "", known,
                            most->first);
    count_ = 0;
    networks_ = {};
    return text;
}

}  // namespace culver
