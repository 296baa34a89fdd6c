// FairQueue: jobs that wait for a thread. Networks take turns, so that nobody gets more by asking more often.
//
// Three standings: users who have logged in from that network before go first, addresses that guess passwords last; a
// better standing is preferred for a bounded number of turns, so that each moves on. Within a standing the networks
// take turns, within a network it is first come, first served. When many networks wait for their first turn, every
// third turn is the newest one's: in a flood from everywhere the guesses of a second ago are as good as lost, and
// whoever comes now is answered as ever. Bounded per network and in total: when all places are taken the newest job of
// the greediest network of the worst standing has to go; one of a known user never does, once it has a place. Not
// thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace culver {

enum class Standing { KnownGood, Unknown, Penalised };

class FairQueue {
public:
    struct Job {
        std::function<void()> run;
        std::function<void()> refused;  // in place of run, when it was displaced
    };
    struct Limits {
        std::size_t total = 4096;
        std::size_t per_network = 256;  // of each standing but KnownGood: a webmail's users come from one address
    };

    explicit FairQueue(Limits limits) : limits_(limits) {}

    struct Pushed {
        bool accepted = false;         // false: there is no place for this job
        std::optional<Job> displaced;  // another one that had to go
    };
    // `network`: a keyed hash.
    Pushed push(std::uint64_t network, Standing standing, Job job);
    // The next job; nothing when none waits.
    std::optional<Job> pop();
    void clear();
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

private:
    using Line = std::deque<Job>;  // of one network in one standing
    struct Class {
        std::unordered_map<std::uint64_t, Line> lines;            // never empty ones
        std::deque<std::uint64_t> fresh;                          // networks with a line that had no turn yet
        std::deque<std::uint64_t> turns;                          // the others that have one
        std::set<std::pair<std::size_t, std::uint64_t>> by_size;  // the greediest is last
        unsigned passed_over = 0;  // how often a better standing was served while this one waited
        unsigned step = 0;         // whose turn it is: the newest, the oldest, one that had a turn already
    };
    static constexpr std::size_t kClasses = 3;

    void resize(Class& group, std::uint64_t network, std::size_t from, std::size_t to);
    std::size_t next_class() const;
    static std::uint64_t take_turn(Class& group);
    Job take_newest_of_greediest(Class& group);

    const Limits limits_;
    std::array<Class, kClasses> classes_;
    std::size_t size_ = 0;
};

}  // namespace culver
