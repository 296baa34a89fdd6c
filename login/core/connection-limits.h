// ConnectionLimits: how many strangers may wait at the door, and whom to send away.
//
// Only connections that have not logged in count. An address (IPv6: a /64) that has too many loses one of its own. When
// all together are too many, somebody goes by what is known of him, not by how fast he comes back:
//
//   - A network (IPv4 /24, IPv6 /64) that has failed to log in, or was sent away, and has had no good login lately is
//     suspect. It is let in while there is room; when there is none, whoever comes from there is refused, so that
//     coming back again and again gains nothing. The others get the places of those who are already in.
//   - Then each kind is left a quarter of the places, and from the first one that has more the oldest goes: clients
//     that have asked nothing yet, clients whose login is with authd, and these two from networks with a good login
//     lately or from a trusted one. So silent connections cannot push out logins under way, nor a flood of logins the
//     clients that are just about to send theirs, nor both together those whose users are known here.
//
// A known network's privilege is for a twentieth of the places, and not for a client that has failed itself: somebody
// who guesses from the network of a user is one of the crowd. Every operation costs O(log n) at most, memory is
// bounded. One thread; the caller tells the time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "lib-auth/keyed-hash.h"
#include "lib-net/ip-address.h"
#include "login/core/recent-networks.h"

namespace culver {

class LoginClient;

struct LimitOptions {
    std::size_t per_address = 20;         // of strangers
    std::size_t per_known_address = 100;  // an office behind one address comes back all at once after a restart
    std::size_t total = 1000;
    std::size_t remembered_good = 32'768, remembered_bad = 16'384;  // networks
    std::chrono::steady_clock::duration good_time = std::chrono::hours(7 * 24);
    std::chrono::steady_clock::duration failed_time = std::chrono::seconds(60);
    // Shorter: it meets the innocent too when strangers come from everywhere.
    std::chrono::steady_clock::duration sent_away_time = std::chrono::seconds(30);
};

class ConnectionLimits {
public:
    using Clock = std::chrono::steady_clock;
    explicit ConnectionLimits(LimitOptions options = {});

    // Trusted: the machine itself (a webmail that logs in many users at once) and login_trusted_networks; the limit per
    // address is not for them, they count as known and are never suspect.
    enum class Source { Stranger, Trusted };

    // Whether somebody from there has to be sent away at once, without add().
    bool refuses(const IpAddress& address, Source source, Clock::time_point now) const;
    // Enters a client that was not refused; returns the one that has to go for it, or null. The one returned is still
    // counted: the caller drops it and calls remove().
    LoginClient* add(LoginClient& client, const IpAddress& address, Source source, Clock::time_point now);
    void remove(LoginClient& client);
    // `heir` takes the place, the age and the past of `client` (STARTTLS).
    void replace(LoginClient& client, LoginClient& heir);

    // Its login is with authd. Then: it is its own turn to speak.
    void note_asking(LoginClient& client, Clock::time_point now);
    void note_waiting(LoginClient& client, Clock::time_point now);
    // A wrong login, or nonsense; it is its turn to speak again.
    void note_failure(LoginClient& client, Clock::time_point now);
    // It has logged in: it no longer counts here, and its network is known.
    void note_success(LoginClient& client, Clock::time_point now);

    std::size_t size() const { return clients_.size(); }

private:
    // In the order in which they have to go.
    enum Kind : std::size_t { kSuspect, kSilent, kAsking, kKnownSilent, kKnownAsking, kKinds };
    struct Place {
        Kind kind;
        std::uint64_t order;  // of the arrival, or of the question to authd
        LoginClient* client;
        auto operator<=>(const Place&) const = default;
    };
    struct Entry {
        std::string bucket;  // of the limit per address
        std::uint64_t network, arrival;
        Place place;
        bool trusted, failed = false, asking = false;
    };
    using Clients = std::unordered_map<LoginClient*, Entry>;

    bool is_good(std::uint64_t network, Clock::time_point now) const { return good_.contains(network, now); }
    bool is_suspect(std::uint64_t network, Clock::time_point now) const;
    Kind kind_of(const Entry& entry, Clock::time_point now) const;
    void enter(const Entry& entry);
    void leave(const Entry& entry);
    void put(LoginClient& client, bool asking, Clock::time_point now);
    LoginClient* own_surplus(const Entry& entry, Clock::time_point now) const;
    LoginClient* worst() const;

    const LimitOptions options_;
    KeyedHash hash_;
    RecentNetworks good_, failed_, sent_away_;
    Clients clients_;
    std::array<std::map<std::uint64_t, LoginClient*>, kKinds> kinds_;  // by order
    std::unordered_map<std::string, std::set<Place>> buckets_;         // never empty ones
    std::unordered_map<std::uint64_t, std::size_t> known_places_;      // by network; never 0, the trusted aside
    std::uint64_t next_order_ = 0;
};

}  // namespace culver
