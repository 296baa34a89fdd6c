#include "login/core/connection-limits.h"

namespace culver {

LoginClient* ConnectionLimits::add(LoginClient& client, const IpAddress& address, Source source) {
    std::string key(address.bytes());
    auto& own = by_address_[key];
    const bool is_first_of_address = own.empty();
    all_.push_back(&client);
    own.push_back(&client);
    entries_[&client] = Entry{std::move(key), std::prev(all_.end()), std::prev(own.end())};
    if (source == Source::Stranger && own.size() > options_.per_address) return own.front();
    const std::size_t reserve = options_.total / 10;
    if (all_.size() > options_.total) return all_.front();
    // The last tenth is for addresses that have no other connection here: one that has some gives up its own oldest.
    if (all_.size() > options_.total - reserve && !is_first_of_address) return own.front();
    return nullptr;
}

void ConnectionLimits::remove(LoginClient& client) {
    auto it = entries_.find(&client);
    if (it == entries_.end()) return;
    Entry& entry = it->second;
    all_.erase(entry.in_all);
    auto own = by_address_.find(entry.address);
    own->second.erase(entry.in_address);
    if (own->second.empty()) by_address_.erase(own);
    entries_.erase(it);
}

}  // namespace culver
