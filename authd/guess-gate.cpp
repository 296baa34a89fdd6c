#include "authd/guess-gate.h"

#include <algorithm>
#include <vector>

namespace culver {

namespace {
constexpr std::size_t kWaitingLimit = 20'000, kWaitingPerAddress = 1'000;
constexpr std::chrono::seconds kPatience{120};  // below the 150 seconds after which clients are told of a time-out
}  // namespace

GuessGate::GuessGate(EventLoop& loop, PenaltyBox& penalties, std::size_t at_once)
    : loop_(loop), penalties_(penalties), at_once_(at_once) {}

GuessGate::~GuessGate() {
    for (auto& [bucket, address] : addresses_)
        if (address.timer) loop_.cancel(*address.timer);
}

bool GuessGate::may_start(const Address& address, std::string_view remote_ip, Clock::time_point now) const {
    auto penalty = penalties_.find(remote_ip, now);
    return address.under_way < (penalty.level == 0 ? at_once_ : 1) && penalty.left.count() == 0;
}

bool GuessGate::enter(std::string_view remote_ip, Rank rank, Guess guess) {
    std::string bucket = PenaltyBox::bucket_name(remote_ip);
    Address& address = addresses_[bucket];
    auto now = Clock::now();
    bool nobody_waits = address.known.empty() && address.others.empty();
    if (nobody_waits && may_start(address, remote_ip, now)) {
        ++address.under_way;
        guess.start();
        return true;
    }
    if (waiting_ >= kWaitingLimit || address.known.size() + address.others.size() >= kWaitingPerAddress) {
        if (nobody_waits && address.under_way == 0) addresses_.erase(bucket);
        return false;
    }
    (rank == Rank::KnownGood ? address.known : address.others).push_back({std::move(guess), now});
    ++waiting_;
    go_on(bucket);
    return true;
}

void GuessGate::leave(std::string_view remote_ip) {
    std::string bucket = PenaltyBox::bucket_name(remote_ip);
    auto it = addresses_.find(bucket);
    if (it == addresses_.end() || it->second.under_way == 0) return;
    --it->second.under_way;
    go_on(bucket);
}

void GuessGate::refuse_expired(Address& address, Clock::time_point now) {
    for (auto* line : {&address.known, &address.others})
        while (!line->empty() && now - line->front().since >= kPatience) {
            // Not at once: what is told may come back here.
            loop_.post(std::move(line->front().guess.refused));
            line->pop_front();
            --waiting_;
        }
}

// Starts whom it may of those that wait, or sets the timer for the end of the hold.
void GuessGate::go_on(const std::string& bucket) {
    while (true) {
        auto it = addresses_.find(bucket);  // again each time: a guess that starts may enter and leave by itself
        if (it == addresses_.end()) return;
        Address& address = it->second;
        auto now = Clock::now();
        refuse_expired(address, now);
        auto& line = address.known.empty() ? address.others : address.known;
        if (line.empty()) {
            if (address.under_way > 0) return;
            if (address.timer) loop_.cancel(*address.timer);
            addresses_.erase(it);
            return;
        }
        if (!may_start(address, bucket, now)) {
            // With one under way its end comes back here.
            if (address.under_way > 0 || address.timer) return;
            auto left = std::max(penalties_.find(bucket, now).left, std::chrono::milliseconds(1));
            address.timer = loop_.after(left, [this, bucket] {
                auto held = addresses_.find(bucket);
                if (held == addresses_.end()) return;
                held->second.timer.reset();
                go_on(bucket);
            });
            return;
        }
        Guess guess = std::move(line.front().guess);
        line.pop_front();
        --waiting_;
        ++address.under_way;
        guess.start();
    }
}

}  // namespace culver
