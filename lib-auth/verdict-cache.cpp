#include "lib-auth/verdict-cache.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <vector>

#include "lib-base/random.h"

namespace culver {

namespace {
// A node of the map with its share of the table.
constexpr std::uint64_t kEntrySize = 80;

std::array<unsigned char, EVP_MAX_MD_SIZE> keyed_hash(const std::string& secret, std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out;
    unsigned size = 0;
    ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), out.data(), &size);
    return out;
}
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
      negative_ttl_(negative_ttl) {}

VerdictCache::Key VerdictCache::key(std::string_view stored, std::string_view user, std::string_view password) const {
    // Each part with its length, so that no two triples run together.
    std::string message;
    message.reserve(stored.size() + user.size() + password.size() + 32);
    for (std::string_view part : {stored, user, password}) {
        std::uint64_t size = part.size();
        message.append(reinterpret_cast<const char*>(&size), sizeof size);
        message.append(part);
    }
    auto digest = keyed_hash(secret_, message);
    ::explicit_bzero(message.data(), message.size());
    Key out;
    std::memcpy(out.data(), digest.data(), out.size());
    return out;
}

std::uint64_t VerdictCache::user_hash(std::string_view user) const {
    auto digest = keyed_hash(secret_, user);
    std::uint64_t out;
    std::memcpy(&out, digest.data(), sizeof out);
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
