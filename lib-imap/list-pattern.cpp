#include "lib-imap/list-pattern.h"

#include <algorithm>
#include <vector>

#include "lib-base/text.h"

namespace culver {

namespace {

// Runs of wildcards as one: "*" if there is a "*" in the run, else "%". Without this "*%*%*%…" would only cost time.
std::string merge_wildcards(std::string_view pattern) {
    std::string merged;
    merged.reserve(pattern.size());
    for (const char c : pattern) {
        const bool wild = c == '*' || c == '%';
        const bool after_wild = !merged.empty() && (merged.back() == '*' || merged.back() == '%');
        if (!wild || !after_wild) merged += c;
        else if (c == '*') merged.back() = '*';
    }
    return merged;
}

// How many bytes at the beginning of `name` are INBOX as the first part of the name.
std::size_t inbox_length(std::string_view name, char separator) {
    const bool inbox = starts_with_ignore_case(name, "INBOX") && (name.size() == 5 || name[5] == separator);
    return inbox ? 5 : 0;
}

}  // namespace

// For each element of the pattern: the set of positions in the name that the pattern so far can end at. Each literal
// moves all positions on, so that the set is empty after at most name.size() literals.
ListMatch match_list_pattern(std::string_view pattern_text, std::string_view name, char separator) {
    const std::string pattern = merge_wildcards(pattern_text);
    const std::size_t size = name.size();
    const std::size_t inbox = inbox_length(name, separator);
    std::vector<char> reach(size + 1, 0);
    reach[0] = 1;
    std::size_t lowest = 0;  // no position below is reachable
    bool children = false;
    for (std::size_t p = 0; p < pattern.size(); ++p) {
        const char c = pattern[p];
        // The name is used up and the pattern goes on below it: "*" may always swallow a separator and more.
        if (c == '*' || (reach[size] && c == separator && p + 1 < pattern.size())) children = true;
        if (c == '*') {
            std::fill(reach.begin() + static_cast<std::ptrdiff_t>(lowest), reach.end(), 1);
        } else if (c == '%') {
            for (std::size_t i = lowest; i < size; ++i)
                if (reach[i] && name[i] != separator) reach[i + 1] = 1;
        } else {
            bool any = false;
            for (std::size_t i = size; i-- > lowest;) {
                const bool same = name[i] == c || (i < inbox && ascii_lower(name[i]) == ascii_lower(c));
                reach[i + 1] = reach[i] && same;
                any |= reach[i + 1] != 0;
            }
            reach[lowest] = 0;
            if (!any) return children ? ListMatch::Children : ListMatch::No;
            while (!reach[lowest]) ++lowest;
        }
    }
    if (reach[size]) return ListMatch::Yes;
    if (children) return ListMatch::Children;
    for (std::size_t i = std::max<std::size_t>(lowest, 1); i < size; ++i)
        if (reach[i] && name[i] == separator) return ListMatch::Parent;
    return ListMatch::No;
}

}  // namespace culver
