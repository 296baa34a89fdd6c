// PenaltyBox: addresses that guess passwords wait longer and longer before their next guess is looked at.
//
// A bucket is an address (IPv4), a /64 (IPv6: whoever has one address of a network has all of them), or all clients
// without an address together, whatever the service and the socket. Each distinct wrong guess raises its level: 4, 8,
// then 15 seconds; repeating the same user with the same password does not. A success clears it, half a minute without
// a failure forgets it. Bounded: the bucket that has failed least recently makes room. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib-auth/keyed-hash.h"

namespace culver {

class PenaltyBox {
public:
    using Clock = std::chrono::steady_clock;

    struct Entry {
        std::string address;                  // the bucket's name: "192.0.2.1", "2001:db8:0:1::/64", "" for no address
        unsigned level = 0;                   // 0: none
        std::chrono::milliseconds left{0};    // how long its next guess is held
        std::chrono::milliseconds forget{0};  // when all is forgotten, if nothing more fails
        std::uint64_t distinct = 0;           // different wrong guesses
        std::uint64_t attempts = 0;           // wrong guesses, repeated ones too
    };

    // How long a request from this address must wait before anything is done for it.
    std::chrono::milliseconds hold(std::string_view remote_ip, Clock::time_point now) const;
    // The penalty of an address, or of a bucket by its name; level 0 if it has none.
    Entry find(std::string_view remote_ip, Clock::time_point now) const;
    // A wrong guess whose refusal reaches the client at `answered`.
    void failed(std::string_view remote_ip, std::string_view user, std::string_view password,
                Clock::time_point answered);
    // A right login: forgets the address's bucket.
    void succeeded(std::string_view remote_ip);
    // Forgets all buckets, or the one of an address or a bucket's name; returns how many.
    std::size_t clear();
    std::size_t clear(std::string_view remote_ip);

    // Every bucket with a level, by their last failure, the latest at the end.
    std::vector<Entry> list(Clock::time_point now) const;
    std::size_t size() const { return buckets_.size(); }
    // The name of the bucket of an address; a bucket's name is its own.
    static std::string bucket_name(std::string_view remote_ip);

private:
    struct Bucket {
        unsigned level = 0;
        std::uint64_t distinct = 0, attempts = 0;
        Clock::time_point answered;
        std::vector<std::uint64_t> guesses;      // keyed hashes, never the guesses themselves
        std::list<std::string>::iterator place;  // in order_
    };
    using Buckets = std::unordered_map<std::string, Bucket, KeyedHash>;
    Bucket& bucket_of(std::string_view remote_ip);
    void erase(Buckets::iterator it);
    static Entry describe(const std::string& name, const Bucket& bucket, Clock::time_point now);

    KeyedHash guess_hash_;
    Buckets buckets_;
    std::list<std::string> order_;  // names by their last failure, the latest at the end
};

}  // namespace culver
