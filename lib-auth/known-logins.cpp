#include "lib-auth/known-logins.h"

#include <string>

#include "lib-auth/client-network.h"

namespace culver {

std::uint64_t KnownLogins::key(std::string_view remote_ip, std::string_view user) const {
    std::string text = client_network(remote_ip);
    text += static_cast<char>(text.size());  // networks of both lengths, then the name: no two pairs run together
    text += user;
    return hash_(text);
}

void KnownLogins::remember(std::string_view remote_ip, std::string_view user) {
    std::uint64_t pair = key(remote_ip, user);
    if (young_.contains(pair)) return;
    if (young_.size() >= limit_) {
        old_ = std::move(young_);
        young_.clear();
    }
    young_.insert(pair);
}

bool KnownLogins::contains(std::string_view remote_ip, std::string_view user) const {
    if (young_.empty() && old_.empty()) return false;
    std::uint64_t pair = key(remote_ip, user);
    return young_.contains(pair) || old_.contains(pair);
}

}  // namespace culver
