// VerdictCache: which password matched which stored hash, so that a login that comes again costs no SHA512-CRYPT.
//
// An entry is a keyed hash (BLAKE2b under a random key of this process) of the stored hash, the user and the
// password, with the verdict and its end. Neither a password nor a stored hash can be read from it, and a changed
// stored hash gives another key, so that nothing outlives a change. The databases are still asked each time: extra
// fields, allow_nets and everything else that depends on the client is decided anew. Bounded; thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace culver {

class VerdictCache {
public:
    using Clock = std::chrono::steady_clock;
    using Key = std::array<unsigned char, 16>;

    // `bytes`: auth_cache_size. 0 = keep nothing.
    VerdictCache(std::uint64_t bytes, std::chrono::milliseconds ttl, std::chrono::milliseconds negative_ttl);

    bool is_enabled() const { return limit_ != 0; }
    // `stored` is the stored password or whatever else must stay the same, e.g. a database's own cache key.
    Key key(std::string_view stored, std::string_view user, std::string_view password) const;
    // Nothing: not known, or no longer.
    std::optional<bool> find(const Key& key, Clock::time_point now);
    // `user`: whose entries flush(user) forgets.
    void put(const Key& key, std::string_view user, bool matches, Clock::time_point now);
    // Forgets all entries, or those of one user; returns how many.
    std::size_t flush();
    std::size_t flush(std::string_view user);

private:
    struct Entry {
        std::uint64_t user = 0;  // keyed hash
        Clock::time_point end;
        bool matches = false;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    using Generation = std::unordered_map<Key, Entry, KeyHash>;
    std::uint64_t user_hash(std::string_view user) const;

    const std::string secret_;
    const std::size_t limit_;  // entries of one generation
    const std::chrono::milliseconds ttl_, negative_ttl_;
    std::mutex mutex_;        // guards young_ and old_
    Generation young_, old_;  // when the young one is full it takes the old one's place: cheap and bounded
};

}  // namespace culver
