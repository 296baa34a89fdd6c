#include "lib-storage/list/list-pattern.h"

#include "lib-base/text.h"

namespace culver {

namespace {

bool is_wildcard(char c) { return c == '*' || c == '%'; }

// The bytes of `name` that belong to a first level "INBOX", which has no case.
std::size_t inbox_size(std::string_view name, char separator) {
    constexpr std::string_view kInbox = "INBOX";
    if (!starts_with_ignore_case(name, kInbox)) return 0;
    return name.size() == kInbox.size() || name[kInbox.size()] == separator ? kInbox.size() : 0;
}

}  // namespace

ListPattern::ListPattern(std::string_view pattern, char separator) : separator_(separator) {
    for (const char c : pattern) {
        const bool after_wildcard = !pattern_.empty() && is_wildcard(pattern_.back());
        if (is_wildcard(c) && after_wildcard) {
            if (c == '*') pattern_.back() = '*';
        } else {
            pattern_ += c;
        }
    }
    while (prefix_size_ < pattern_.size() && !is_wildcard(pattern_[prefix_size_])) ++prefix_size_;
}

bool ListPattern::matches(std::string_view name) const {
    const std::size_t inbox = inbox_size(name, separator_);
    const auto is_same = [&](std::size_t at, char wanted) {
        return at < inbox ? ascii_upper(name[at]) == ascii_upper(wanted) : name[at] == wanted;
    };
    // The set of pattern positions that the name read so far can have reached, in ascending order.
    std::vector<std::uint32_t> reached = {0}, next;
    const auto add = [&](std::vector<std::uint32_t>& set, std::uint32_t position) {
        if (set.empty() || set.back() < position) set.push_back(position);
    };
    // A wildcard may stand for nothing.
    const auto close = [&](std::vector<std::uint32_t>& set, std::uint32_t position) {
        add(set, position);
        if (position < pattern_.size() && is_wildcard(pattern_[position])) add(set, position + 1);
    };
    next.reserve(pattern_.size() + 1);
    reached.clear();
    close(reached, 0);
    for (std::size_t at = 0; at < name.size() && !reached.empty(); ++at) {
        next.clear();
        for (const std::uint32_t position : reached) {
            if (position == pattern_.size()) continue;
            const char c = pattern_[position];
            if (c == '*' || (c == '%' && name[at] != separator_)) {
                close(next, position);
            } else if (!is_wildcard(c) && is_same(at, c)) {
                close(next, position + 1);
            }
        }
        reached.swap(next);
    }
    return !reached.empty() && reached.back() == pattern_.size();
}

}  // namespace culver
