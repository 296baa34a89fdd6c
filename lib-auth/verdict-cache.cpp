#include "lib-auth/verdict-cache.h"

#include <sodium.h>

#include <cstring>

#include "lib-base/random.h"

namespace culver {

namespace {
// A node of the map with its share of the table.
constexpr std::uint64_t kEntrySize = 80;

// Keyed BLAKE2b: a fifth of the time of OpenSSL's HMAC, which is most of what a known verdict costs.
template <std::size_t size>
class KeyedDigest {
public:
    explicit KeyedDigest(const std::string& secret) {
        ::crypto_generichash_init(&state_, reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), size);
    }
    ~KeyedDigest() { ::sodium_memzero(&state_, sizeof state_); }
    KeyedDigest(const KeyedDigest&) = delete;
    KeyedDigest& operator=(const KeyedDigest&) = delete;
    void add(const void* bytes, std::size_t length) {
        ::crypto_generichash_update(&state_, static_cast<const unsigned char*>(bytes), length);
    }
    void finish(unsigned char* out) { ::crypto_generichash_final(&state_, out, size); }

private:
    crypto_generichash_state state_;
};
}  // namespace

std::size_t VerdictCache::KeyHash::operator()(const Key& key) const {
    std::size_t out;
    std::memcpy(&out, key.data(), sizeof out);  // it is a keyed hash already
    return out;
}

VerdictCache::VerdictCache(std::uint64_t bytes, std::chrono::milliseconds ttl, std::chrono::milliseconds negative_ttl)
    : secret_(random_bytes(32)),
      limit_(static_cast<std::size_t>(bytes / kEntrySize / 2)),
      ttl_(ttl),
      negative_ttl_(negative_ttl) {
    // Lets it choose the implementation for this processor; without, it is only slower.
    [[maybe_unused]] int chosen = ::sodium_init();
}

VerdictCache::Key VerdictCache::key(std::string_view stored, std::string_view user, std::string_view password) const {
    Key out;
    KeyedDigest<std::tuple_size_v<Key>> digest(secret_);
    // Each part with its length, so that no two triples run together.
    for (std::string_view part : {stored, user, password}) {
        std::uint64_t size = part.size();
        digest.add(&size, sizeof size);
        digest.add(part.data(), part.size());
    }
    digest.finish(out.data());
    return out;
}

std::uint64_t VerdictCache::user_hash(std::string_view user) const {
    unsigned char digest[crypto_generichash_BYTES_MIN];
    KeyedDigest<sizeof digest> hash(secret_);
    hash.add(user.data(), user.size());
    hash.finish(digest);
    std::uint64_t out;
    std::memcpy(&out, digest, sizeof out);
    return out;
}

std::optional<bool> VerdictCache::find(const Key& key, Clock::time_point now) {
    std::lock_guard lock(mutex_);
    for (Generation* generation : {&young_, &old_}) {
        auto it = generation->find(key);
        if (it == generation->end()) continue;
        if (it->second.end > now) return it->second.matches;
        generation->erase(it);
    }
    return std::nullopt;
}

void VerdictCache::put(const Key& key, std::string_view user, bool matches, Clock::time_point now) {
    auto ttl = matches ? ttl_ : negative_ttl_;
    if (limit_ == 0 || ttl.count() == 0) return;
    Entry entry{user_hash(user), now + ttl, matches};
    std::lock_guard lock(mutex_);
    if (young_.size() >= limit_) {
        old_ = std::move(young_);
        young_.clear();
    }
    young_[key] = entry;
}

std::size_t VerdictCache::flush() {
    std::lock_guard lock(mutex_);
    std::size_t count = young_.size() + old_.size();
    young_.clear();
    old_.clear();
    return count;
}

std::size_t VerdictCache::flush(std::string_view user) {
    std::uint64_t hash = user_hash(user);
    std::lock_guard lock(mutex_);
    auto is_his = [&](const auto& item) { return item.second.user == hash; };
    return std::erase_if(young_, is_his) + std::erase_if(old_, is_his);
}

}  // namespace culver
