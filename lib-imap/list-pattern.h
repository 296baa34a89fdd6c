// Matching of mailbox names with LIST patterns: "*" matches anything, "%" anything but the separator (RFC 9051 §6.3.9).
#pragma once

#include <string>
#include <string_view>

namespace culver {

enum class ListMatch {
    No,
    Yes,
    Children,  // not the name itself, but a name below it could match ("a/%" for "a"): look into the folder
    Parent,    // not the name itself, but a parent of it matches ("%" for "a/b")
};

// Both UTF-8. INBOX, as the first part of the name, matches in any case. Time: linear in name × (number of wildcards
// after merging), never exponential.
ListMatch match_list_pattern(std::string_view pattern, std::string_view name, char separator);
inline bool list_pattern_matches(std::string_view pattern, std::string_view name, char separator) {
    return match_list_pattern(pattern, name, separator) == ListMatch::Yes;
}

}  // namespace culver
