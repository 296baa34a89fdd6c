#include "lib-imap/sequence-set.h"

#include <algorithm>

#include "lib-base/text.h"
#include "lib-imap/writer.h"

namespace culver {

namespace {

// "7" or "*"; zero is no number of a message.
std::optional<std::uint32_t> parse_element(std::string_view text) {
    if (text == "*") return SequenceSet::kStar;
    const auto number = parse_uint32(text);
    if (!number || *number == 0) return std::nullopt;
    return number;
}

}  // namespace

std::optional<SequenceSet> SequenceSet::parse(std::string_view text) {
    SequenceSet set;
    for (;;) {
        const std::size_t comma = text.find(',');
        const std::string_view element = text.substr(0, comma);
        const std::size_t colon = element.find(':');
        const auto first = parse_element(element.substr(0, colon));
        const auto last = colon == std::string_view::npos ? first : parse_element(element.substr(colon + 1));
        if (!first || !last) return std::nullopt;
        const bool star = element.find('*') != std::string_view::npos;
        if (star) {
            // Only the smallest number combined with "*" matters: "5:*,9:*" is "5:*".
            const std::uint32_t smallest = std::min(*first, *last);
            if (!set.star_ || smallest < set.star_->first) set.star_ = Range{smallest, kStar};
        } else {
            set.ranges_.push_back({std::min(*first, *last), std::max(*first, *last)});
        }
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
    }
    set.normalise();
    if (set.ranges_.size() + (set.star_ ? 1 : 0) > kRangeLimit) return std::nullopt;
    return set;
}

SequenceSet SequenceSet::of(std::span<const std::uint32_t> numbers) {
    SequenceSet set;
    bool ascending = true;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i > 0 && numbers[i] < numbers[i - 1]) ascending = false;
        const bool adjacent = ascending && !set.ranges_.empty() && numbers[i] - set.ranges_.back().last <= 1;
        if (adjacent) set.ranges_.back().last = numbers[i];
        else set.ranges_.push_back({numbers[i], numbers[i]});
    }
    if (!ascending) set.normalise();
    return set;
}

void SequenceSet::normalise() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
        Range& back = ranges_[kept > 0 ? kept - 1 : 0];
        if (kept > 0 && (ranges_[i].first <= back.last || ranges_[i].first - back.last == 1))
            back.last = std::max(back.last, ranges_[i].last);
        else ranges_[kept++] = ranges_[i];
    }
    ranges_.resize(kept);
}

bool SequenceSet::contains(std::uint32_t number) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), number,
                                        [](std::uint32_t value, const Range& range) { return value < range.first; });
    return after != ranges_.begin() && std::prev(after)->last >= number;
}

std::uint64_t SequenceSet::count() const {
    std::uint64_t count = 0;
    for (const Range& range : ranges_) count += std::uint64_t(range.last) - range.first + 1;
    return count;
}

void SequenceSet::add(Range range) {
    if (ranges_.empty() || (range.first > ranges_.back().last && range.first - ranges_.back().last > 1)) {
        ranges_.push_back(range);
        return;
    }
    Range& back = ranges_.back();
    if (range.first >= back.first) {
        back.last = std::max(back.last, range.last);
        return;
    }
    ranges_.push_back(range);
    normalise();
}

SequenceSet SequenceSet::resolve(std::uint32_t largest) const {
    SequenceSet set;
    set.ranges_ = ranges_;
    if (star_ && largest > 0)
        set.ranges_.push_back({std::min(star_->first == kStar ? largest : star_->first, largest),
                               star_->first == kStar ? largest : std::max(star_->first, largest)});
    set.normalise();
    return set;
}

void SequenceSet::append_to(std::string& out) const {
    bool first = true;
    for (const Range& range : ranges_) {
        if (!first) out += ',';
        first = false;
        append_number(out, range.first);
        if (range.last == range.first) continue;
        out += ':';
        append_number(out, range.last);
    }
    if (!star_) return;
    if (!first) out += ',';
    if (star_->first != kStar) {
        append_number(out, star_->first);
        out += ':';
    }
    out += '*';
}

std::string SequenceSet::to_string() const {
    std::string out;
    append_to(out);
    return out;
}

}  // namespace culver
