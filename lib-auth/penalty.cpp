#include "lib-auth/penalty.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstring>

#include "lib-net/ip-address.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kForgetAfter{29};
constexpr std::size_t kBucketLimit = 20'000;
constexpr std::size_t kGuessLimit = 32;  // earlier guesses count as new ones
constexpr unsigned kLevelLimit = 16;
constexpr std::string_view kNetworkSuffix = "::/64";

std::chrono::milliseconds hold_of_level(unsigned level) {
    switch (level) {
        case 0: return std::chrono::seconds(0);
        case 1: return std::chrono::seconds(4);
        case 2: return std::chrono::seconds(8);
        default: return std::chrono::seconds(15);
    }
}

std::chrono::milliseconds left_until(PenaltyBox::Clock::time_point end, PenaltyBox::Clock::time_point now) {
    return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(end - now));
}
}  // namespace

std::string PenaltyBox::bucket_name(std::string_view remote_ip) {
    if (remote_ip.empty()) return {};
    if (remote_ip.ends_with(kNetworkSuffix)) remote_ip.remove_suffix(3);  // "2001:db8:0:1::" is an address of it
    auto address = IpAddress::parse(remote_ip);
    if (!address) return {};
    if (!address->is_ipv6()) return address->to_string();
    std::string_view b = address->bytes();
    auto group = [&](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(b[i]) << 8 | static_cast<unsigned char>(b[i + 1]));
    };
    return fmt::format("{:x}:{:x}:{:x}:{:x}{}", group(0), group(2), group(4), group(6), kNetworkSuffix);
}

PenaltyBox::Entry PenaltyBox::describe(const std::string& name, const Bucket& bucket, Clock::time_point now) {
    Entry entry;
    entry.address = name;
    if (now - bucket.answered > kForgetAfter) return entry;
    entry.level = bucket.level;
    entry.left = left_until(bucket.answered + hold_of_level(bucket.level), now);
    entry.forget = left_until(bucket.answered + kForgetAfter, now);
    entry.distinct = bucket.distinct;
    entry.attempts = bucket.attempts;
    return entry;
}

PenaltyBox::Entry PenaltyBox::find(std::string_view remote_ip, Clock::time_point now) const {
    if (buckets_.empty()) return {};
    auto it = buckets_.find(bucket_name(remote_ip));
    return it == buckets_.end() ? Entry{} : describe(it->first, it->second, now);
}

std::chrono::milliseconds PenaltyBox::hold(std::string_view remote_ip, Clock::time_point now) const {
    return find(remote_ip, now).left;
}

void PenaltyBox::erase(Buckets::iterator it) {
    order_.erase(it->second.place);
    buckets_.erase(it);
}

// Its bucket, as the latest one.
PenaltyBox::Bucket& PenaltyBox::bucket_of(std::string_view remote_ip) {
    std::string name = bucket_name(remote_ip);
    auto it = buckets_.find(name);
    if (it != buckets_.end()) {
        order_.splice(order_.end(), order_, it->second.place);
        return it->second;
    }
    if (buckets_.size() >= kBucketLimit) erase(buckets_.find(order_.front()));
    order_.push_back(name);
    Bucket& bucket = buckets_[std::move(name)];
    bucket.place = std::prev(order_.end());
    return bucket;
}

void PenaltyBox::failed(std::string_view remote_ip, std::string_view user, std::string_view password,
                        Clock::time_point answered) {
    Bucket& bucket = bucket_of(remote_ip);
    if (bucket.level > 0 && answered - bucket.answered > kForgetAfter) {
        bucket.level = 0;
        bucket.distinct = bucket.attempts = 0;
        bucket.guesses.clear();
    }
    bucket.answered = std::max(bucket.answered, answered);
    ++bucket.attempts;
    std::string pair(user);
    pair += '\0';
    pair += password;
    std::uint64_t guess = guess_hash_(pair);
    ::explicit_bzero(pair.data(), pair.size());
    if (std::find(bucket.guesses.begin(), bucket.guesses.end(), guess) != bucket.guesses.end()) return;
    if (bucket.guesses.size() == kGuessLimit) bucket.guesses.erase(bucket.guesses.begin());
    bucket.guesses.push_back(guess);
    ++bucket.distinct;
    bucket.level = std::min(bucket.level + 1, kLevelLimit);
}

void PenaltyBox::succeeded(std::string_view remote_ip) {
    if (!buckets_.empty()) clear(remote_ip);
}

std::size_t PenaltyBox::clear() {
    std::size_t count = buckets_.size();
    buckets_.clear();
    order_.clear();
    return count;
}

std::size_t PenaltyBox::clear(std::string_view remote_ip) {
    auto it = buckets_.find(bucket_name(remote_ip));
    if (it == buckets_.end()) return 0;
    erase(it);
    return 1;
}

std::vector<PenaltyBox::Entry> PenaltyBox::list(Clock::time_point now) const {
    std::vector<Entry> out;
    for (const std::string& name : order_) {
        Entry entry = describe(name, buckets_.find(name)->second, now);
        if (entry.level > 0) out.push_back(std::move(entry));
    }
    return out;
}

}  // namespace culver
