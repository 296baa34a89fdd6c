// GuessGate: how many guesses of one address may be compared at once.
//
// A penalty is known only when a guess has failed. So the guesses of one address (as PenaltyBox counts them) that need
// a thread are let through a few at a time, one at a time once it has a penalty, and none while it is held; the others
// wait, users who have logged in from that network before the others. Bounded. One thread: the loop's.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib-auth/keyed-hash.h"
#include "lib-auth/penalty.h"
#include "lib-net/event-loop.h"

namespace culver {

class GuessGate {
public:
    using Clock = EventLoop::Clock;
    enum class Rank { KnownGood, Other };
    struct Guess {
        std::function<void()> start;    // now it may be compared; leave() follows when it has its answer
        std::function<void()> refused;  // it has waited too long
    };

    // `at_once`: guesses of an address without a penalty.
    GuessGate(EventLoop& loop, PenaltyBox& penalties, std::size_t at_once);
    ~GuessGate();
    GuessGate(const GuessGate&) = delete;
    GuessGate& operator=(const GuessGate&) = delete;

    // Starts the guess now or later. False if too many wait already: neither of its functions will run.
    bool enter(std::string_view remote_ip, Rank rank, Guess guess);
    // A guess of this address that was started has its answer, and its failure is in the PenaltyBox.
    void leave(std::string_view remote_ip);
    std::size_t waiting() const { return waiting_; }

private:
    struct Waiting {
        Guess guess;
        Clock::time_point since;
    };
    struct Address {
        std::size_t under_way = 0;
        std::deque<Waiting> known, others;
        std::optional<EventLoop::TimerId> timer;  // while it is held
    };

    bool may_start(const Address& address, std::string_view remote_ip, Clock::time_point now) const;
    void refuse_expired(Address& address, Clock::time_point now);
    void go_on(const std::string& bucket);

    EventLoop& loop_;
    PenaltyBox& penalties_;
    const std::size_t at_once_;
    std::unordered_map<std::string, Address, KeyedHash> addresses_;  // with something under way or waiting; by bucket
    std::size_t waiting_ = 0;
};

}  // namespace culver
