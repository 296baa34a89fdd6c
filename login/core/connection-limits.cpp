#include "login/core/connection-limits.h"

#include <algorithm>

#include "lib-auth/client-network.h"

namespace culver {
namespace {

// Whoever has one address of an IPv6 network has all of them.
std::string bucket_of(const IpAddress& address) {
    return address.is_ipv6() ? client_network(address) : std::string(address.bytes());
}

}  // namespace

ConnectionLimits::ConnectionLimits(LimitOptions options)
    : options_(options),
      good_(options.remembered_good, options.good_time),
      failed_(options.remembered_bad, options.failed_time),
      sent_away_(options.remembered_bad, options.sent_away_time) {}

bool ConnectionLimits::is_suspect(std::uint64_t network, Clock::time_point now) const {
    return !is_good(network, now) && (failed_.contains(network, now) || sent_away_.contains(network, now));
}

bool ConnectionLimits::refuses(const IpAddress& address, Source source, Clock::time_point now) const {
    return source == Source::Stranger && clients_.size() >= options_.total &&
           is_suspect(hash_(client_network(address)), now);
}

LoginClient* ConnectionLimits::add(LoginClient& client, const IpAddress& address, Source source,
                                   Clock::time_point now) {
    const std::uint64_t order = next_order_++;
    Entry entry{bucket_of(address),
                hash_(client_network(address)),
                order,
                {kSilent, order, &client},
                source == Source::Trusted};
    entry.place.kind = kind_of(entry, now);
    const Entry& entered = clients_.insert_or_assign(&client, std::move(entry)).first->second;
    enter(entered);
    if (LoginClient* own = own_surplus(entered, now)) return own;
    if (clients_.size() <= options_.total) return nullptr;
    LoginClient* victim = worst();
    const Entry& gone = clients_.at(victim);
    // Not again and again, or those who were refused would never be looked at with other eyes.
    if (!gone.trusted && !is_suspect(gone.network, now)) sent_away_.insert(gone.network, now);
    return victim;
}

// An address with too many gives up the worst of its other ones: the newest may be the one that works.
LoginClient* ConnectionLimits::own_surplus(const Entry& entry, Clock::time_point now) const {
    if (entry.trusted) return nullptr;
    const std::set<Place>& own = buckets_.at(entry.bucket);
    if (own.size() <= (is_good(entry.network, now) ? options_.per_known_address : options_.per_address)) return nullptr;
    auto place = own.begin();
    if (place->client == entry.place.client) ++place;
    return place->client;
}

// There are more than `total`: some kind has more than its share.
LoginClient* ConnectionLimits::worst() const {
    std::size_t kind = kSuspect;
    while (kind + 1 < kKinds && kinds_[kind].size() <= (kind == kSuspect ? 0 : options_.total / 4)) ++kind;
    return kinds_[kind].begin()->second;
}

void ConnectionLimits::remove(LoginClient& client) {
    auto it = clients_.find(&client);
    if (it == clients_.end()) return;
    leave(it->second);
    clients_.erase(it);
}

void ConnectionLimits::replace(LoginClient& client, LoginClient& heir) {
    auto node = clients_.extract(&client);
    if (node.empty()) return;
    leave(node.mapped());
    node.key() = &heir;
    node.mapped().place.client = &heir;
    enter(node.mapped());
    clients_.insert(std::move(node));
}

void ConnectionLimits::note_asking(LoginClient& client, Clock::time_point now) { put(client, true, now); }

void ConnectionLimits::note_waiting(LoginClient& client, Clock::time_point now) { put(client, false, now); }

void ConnectionLimits::note_failure(LoginClient& client, Clock::time_point now) {
    auto it = clients_.find(&client);
    if (it == clients_.end()) return;
    it->second.failed = true;
    if (!it->second.trusted) failed_.insert(it->second.network, now);
    put(client, false, now);
}

void ConnectionLimits::note_success(LoginClient& client, Clock::time_point now) {
    auto it = clients_.find(&client);
    if (it == clients_.end()) return;
    const Entry& entry = it->second;
    if (!entry.trusted) {
        good_.insert(entry.network, now);
        failed_.erase(entry.network);
        sent_away_.erase(entry.network);
    }
    remove(client);
}

ConnectionLimits::Kind ConnectionLimits::kind_of(const Entry& entry, Clock::time_point now) const {
    bool is_known = entry.trusted;
    if (!entry.trusted && is_good(entry.network, now)) {
        auto places = known_places_.find(entry.network);
        is_known = places == known_places_.end() || places->second < std::max<std::size_t>(options_.total / 20, 1);
    } else if (!entry.trusted && (entry.failed || is_suspect(entry.network, now))) {
        return kSuspect;
    }
    if (is_known && !entry.failed) return entry.asking ? kKnownAsking : kKnownSilent;
    return entry.asking ? kAsking : kSilent;
}

void ConnectionLimits::put(LoginClient& client, bool asking, Clock::time_point now) {
    auto it = clients_.find(&client);
    if (it == clients_.end()) return;
    Entry& entry = it->second;
    leave(entry);
    entry.asking = asking;
    entry.place.kind = kind_of(entry, now);
    const bool is_question = entry.place.kind == kAsking || entry.place.kind == kKnownAsking;
    entry.place.order = is_question ? next_order_++ : entry.arrival;
    enter(entry);
}

void ConnectionLimits::enter(const Entry& entry) {
    kinds_[entry.place.kind].emplace(entry.place.order, entry.place.client);
    buckets_[entry.bucket].insert(entry.place);
    if (!entry.trusted && entry.place.kind >= kKnownSilent) ++known_places_[entry.network];
}

void ConnectionLimits::leave(const Entry& entry) {
    kinds_[entry.place.kind].erase(entry.place.order);
    auto bucket = buckets_.find(entry.bucket);
    bucket->second.erase(entry.place);
    if (bucket->second.empty()) buckets_.erase(bucket);
    if (entry.trusted || entry.place.kind < kKnownSilent) return;
    auto known = known_places_.find(entry.network);
    if (--known->second == 0) known_places_.erase(known);
}

}  // namespace culver
