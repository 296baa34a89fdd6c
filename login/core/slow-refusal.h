// SlowRefusal: connections that are not let in, kept for a moment before they are closed.
//
// Whoever is refused and comes back at once is slowed down by it, at the price of a descriptor. Nothing is read. When
// more are kept than there is room for, the one that has waited longest is closed early. One thread; the caller tells
// the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "lib-base/unique-fd.h"

namespace culver {

class SlowRefusal {
public:
    using Clock = std::chrono::steady_clock;
    struct Options {
        std::size_t limit = 1000;
        Clock::duration time = std::chrono::seconds(2);
    };
    // `last_words`: what the protocol says to a client that did not ask for TLS first; may be empty.
    explicit SlowRefusal(std::string last_words) : SlowRefusal(std::move(last_words), Options()) {}
    SlowRefusal(std::string last_words, Options options) : options_(options), last_words_(std::move(last_words)) {}

    enum class Manner { WithWords, Silent };
    // Takes a non-blocking socket.
    void add(UniqueFd fd, Manner manner, Clock::time_point now);
    // When the next one has waited long enough; nothing when none waits.
    std::optional<Clock::time_point> next() const;
    void close_due(Clock::time_point now);
    void close_all();
    std::size_t size() const { return waiting_.size(); }

private:
    struct Refused {
        UniqueFd fd;
        Manner manner;
        Clock::time_point due;
    };
    void close_first();

    const Options options_;
    const std::string last_words_;
    std::deque<Refused> waiting_;  // the first one is due first
};

}  // namespace culver
