#include "authd/fair-queue.h"

#include <algorithm>

namespace culver {

namespace {
// How many turns go to better standings before one of this one is due.
constexpr unsigned kPatience[] = {0, 8, 32};
// So many networks that wait for their first turn are no flood.
constexpr std::size_t kCalm = 8;
}  // namespace

void FairQueue::resize(Class& group, std::uint64_t network, std::size_t from, std::size_t to) {
    if (from != 0) group.by_size.erase({from, network});
    if (to != 0) group.by_size.insert({to, network});
}

FairQueue::Job FairQueue::take_newest_of_greediest(Class& group) {
    auto [count, network] = *group.by_size.rbegin();
    auto it = group.lines.find(network);
    Job job = std::move(it->second.back());
    it->second.pop_back();
    resize(group, network, count, count - 1);
    if (it->second.empty()) {
        group.lines.erase(it);
        // One with several jobs may be in either.
        std::erase(group.fresh, network);
        std::erase(group.turns, network);
    }
    --size_;
    return job;
}

FairQueue::Pushed FairQueue::push(std::uint64_t network, Standing standing, Job job) {
    auto number = static_cast<std::size_t>(standing);
    Class& group = classes_[number];
    auto it = group.lines.find(network);
    std::size_t count = it == group.lines.end() ? 0 : it->second.size();
    if (standing != Standing::KnownGood && count >= limits_.per_network) return {};
    std::optional<Job> displaced;
    if (size_ >= limits_.total) {
        std::size_t worst = kClasses - 1;
        while (worst > number && classes_[worst].lines.empty()) --worst;
        bool is_greediest = worst == number && (group.lines.empty() || group.by_size.rbegin()->first <= count + 1);
        if (worst == 0 || is_greediest) return {};
        displaced = take_newest_of_greediest(classes_[worst]);
    }
    if (count == 0) group.fresh.push_back(network);
    group.lines[network].push_back(std::move(job));
    resize(group, network, count, count + 1);
    ++size_;
    return {true, std::move(displaced)};
}

std::size_t FairQueue::next_class() const {
    for (std::size_t i = kClasses; i-- > 1;)
        if (!classes_[i].lines.empty() && classes_[i].passed_over >= kPatience[i]) return i;
    std::size_t best = 0;
    while (classes_[best].lines.empty()) ++best;
    return best;
}

std::uint64_t FairQueue::take_turn(Class& group) {
    unsigned step = group.step++ % 3;
    std::uint64_t network;
    if (!group.turns.empty() && (step == 2 || group.fresh.empty())) {
        network = group.turns.front();
        group.turns.pop_front();
    } else if (step == 0 && group.fresh.size() > kCalm) {
        network = group.fresh.back();
        group.fresh.pop_back();
    } else {
        network = group.fresh.front();
        group.fresh.pop_front();
    }
    return network;
}

std::optional<FairQueue::Job> FairQueue::pop() {
    if (size_ == 0) return std::nullopt;
    std::size_t chosen = next_class();
    for (std::size_t i = chosen + 1; i < kClasses; ++i)
        if (!classes_[i].lines.empty()) ++classes_[i].passed_over;
    Class& group = classes_[chosen];
    group.passed_over = 0;
    std::uint64_t network = take_turn(group);
    auto it = group.lines.find(network);
    std::size_t count = it->second.size();
    Job job = std::move(it->second.front());
    it->second.pop_front();
    resize(group, network, count, count - 1);
    if (it->second.empty()) group.lines.erase(it);
    else group.turns.push_back(network);
    --size_;
    return job;
}

void FairQueue::clear() {
    classes_ = {};
    size_ = 0;
}

}  // namespace culver
