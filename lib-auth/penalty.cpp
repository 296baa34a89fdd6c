#include "lib-auth/penalty.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "lib-base/random.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kForgetAfter{29};
constexpr std::size_t kBucketLimit = 20'000;
constexpr std::size_t kGuessLimit = 32;  // later guesses count as new ones
constexpr unsigned kLevelLimit = 16;

std::chrono::milliseconds hold_of_level(unsigned level) {
    switch (level) {
        case 0: return std::chrono::seconds(0);
        case 1: return std::chrono::seconds(4);
        case 2: return std::chrono::seconds(8);
        default: return std::chrono::seconds(15);
    }
}
}  // namespace

std::size_t PenaltyBox::KeyedHash::operator()(const std::string& key) const {
    std::uint64_t h = seed;
    for (unsigned char c : key) h = (h ^ c) * 0x9E3779B97F4A7C15ull, h ^= h >> 29;
    return h;
}

PenaltyBox::PenaltyBox() : seed_{random_uint64(), random_uint64()}, buckets_(16, KeyedHash{random_uint64()}) {}

std::string PenaltyBox::bucket_name(std::string_view remote_ip) {
    auto address = IpAddress::parse(remote_ip);
    if (!address) return "";
    if (!address->is_ipv6()) return address->to_string();
    // Whoever has one address of a site has all of them.
    std::string_view b = address->bytes();
    auto group = [&](std::size_t i) {
        return fmt::format("{:x}", static_cast<unsigned char>(b[i]) << 8 | static_cast<unsigned char>(b[i + 1]));
    };
    return group(0) + ':' + group(2) + ':' + group(4) + "::/48";
}

std::uint64_t PenaltyBox::guess_hash(std::string_view user, std::string_view password) const {
    std::string message(user);
    message += '\0';
    message += password;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ::HMAC(EVP_sha256(), seed_, sizeof seed_, reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           digest, &size);
    ::explicit_bzero(message.data(), message.size());
    std::uint64_t out;
    std::memcpy(&out, digest, sizeof out);
    return out;
}

std::chrono::milliseconds PenaltyBox::hold(std::string_view remote_ip, Clock::time_point now) const {
    if (buckets_.empty()) return {};
    auto it = buckets_.find(bucket_name(remote_ip));
    if (it == buckets_.end() || now - it->second.answered > kForgetAfter) return {};
    auto until = it->second.answered + hold_of_level(it->second.level);
    if (until <= now) return {};
    return std::chrono::ceil<std::chrono::milliseconds>(until - now);
}

void PenaltyBox::make_room(Clock::time_point now) {
    if (buckets_.size() < kBucketLimit) return;
    std::erase_if(buckets_, [&](const auto& item) { return now - item.second.answered > kForgetAfter; });
    if (buckets_.size() >= kBucketLimit) buckets_.clear();
}

void PenaltyBox::failed(std::string_view remote_ip, std::string_view user, std::string_view password,
                        Clock::time_point answered) {
    make_room(answered);
    Bucket& bucket = buckets_[bucket_name(remote_ip)];
    if (bucket.level > 0 && answered - bucket.answered > kForgetAfter) bucket = {};
    bucket.answered = std::max(bucket.answered, answered);
    std::uint64_t guess = guess_hash(user, password);
    if (std::find(bucket.guesses.begin(), bucket.guesses.end(), guess) != bucket.guesses.end()) return;
    if (bucket.guesses.size() == kGuessLimit) bucket.guesses.erase(bucket.guesses.begin());
    bucket.guesses.push_back(guess);
    bucket.level = std::min(bucket.level + 1, kLevelLimit);
}

void PenaltyBox::succeeded(std::string_view remote_ip) {
    if (!buckets_.empty()) buckets_.erase(bucket_name(remote_ip));
}

std::size_t PenaltyBox::clear() {
    std::size_t count = buckets_.size();
    buckets_.clear();
    return count;
}

std::size_t PenaltyBox::clear(std::string_view remote_ip) { return buckets_.erase(bucket_name(remote_ip)); }

std::vector<PenaltyBox::Entry> PenaltyBox::list(Clock::time_point now) const {
    std::vector<Entry> out;
    for (const auto& [name, bucket] : buckets_) {
        if (now - bucket.answered > kForgetAfter) continue;
        auto left = bucket.answered + hold_of_level(bucket.level) - now;
        out.push_back({name, bucket.level,
                       std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(left))});
    }
    return out;
}

}  // namespace culver
