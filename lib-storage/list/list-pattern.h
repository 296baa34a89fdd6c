// ListPattern: a mailbox pattern of LIST: '*' stands for anything, '%' for anything within one level. RFC 9051 §6.3.9.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

// Matches in time linear in name and pattern: no pattern makes it backtrack.
class ListPattern {
public:
    ListPattern(std::string_view pattern, char separator);
    // INBOX as the first level matches in any case.
    bool matches(std::string_view name) const;
    // The text before the first wildcard.
    std::string_view literal_prefix() const { return std::string_view(pattern_).substr(0, prefix_size_); }

private:
    std::string pattern_;  // without redundant wildcards
    char separator_;
    std::size_t prefix_size_ = 0;
};

}  // namespace culver
