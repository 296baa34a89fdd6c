// PenaltyBox: addresses that guess passwords wait longer and longer before their next guess is looked at.
//
// A bucket is an address (IPv4), a /48 (IPv6), or all clients without an address together. Each distinct wrong guess
// raises its level: 4, 8, then 15 seconds; repeating the same user with the same password does not. A success clears
// it. Bounded. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace culver {

class PenaltyBox {
public:
    using Clock = std::chrono::steady_clock;

    PenaltyBox();

    // How long a request from this address must wait before anything is done for it.
    std::chrono::milliseconds hold(std::string_view remote_ip, Clock::time_point now) const;
    // A wrong guess whose refusal reaches the client at `answered`.
    void failed(std::string_view remote_ip, std::string_view user, std::string_view password,
                Clock::time_point answered);
    void succeeded(std::string_view remote_ip);
    // Forgets all buckets, or the one of an address; returns how many.
    std::size_t clear();
    std::size_t clear(std::string_view remote_ip);

    struct Entry {
        std::string address;  // the bucket's name
        unsigned level = 0;
        std::chrono::milliseconds left{0};
    };
    std::vector<Entry> list(Clock::time_point now) const;
    std::size_t size() const { return buckets_.size(); }

private:
    struct Bucket {
        unsigned level = 0;
        Clock::time_point answered;
        std::vector<std::uint64_t> guesses;  // keyed hashes, never the guesses themselves
    };
    struct KeyedHash {
        std::uint64_t seed = 0;
        std::size_t operator()(const std::string& key) const;
    };
    static std::string bucket_name(std::string_view remote_ip);
    std::uint64_t guess_hash(std::string_view user, std::string_view password) const;
    void make_room(Clock::time_point now);

    std::uint64_t seed_[2];
    std::unordered_map<std::string, Bucket, KeyedHash> buckets_;
};

}  // namespace culver
