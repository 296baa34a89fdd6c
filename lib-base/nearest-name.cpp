#include "lib-base/nearest-name.h"

#include <algorithm>
#include <vector>

namespace culver {

namespace {
constexpr std::size_t kNameLimit = 100;

// Gives up above `limit`.
unsigned edit_distance(std::string_view a, std::string_view b, unsigned limit) {
    if (a.size() > b.size() + limit || b.size() > a.size() + limit) return limit + 1;
    std::vector<unsigned> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (unsigned j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = static_cast<unsigned>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            unsigned replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
    }
    return above[b.size()];
}
}  // namespace

std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> names) {
    if (wrong.size() > kNameLimit) return {};
    std::string_view best;
    unsigned least = 1 + static_cast<unsigned>(std::min<std::size_t>(3, wrong.size() / 3));
    for (std::string_view name : names) {
        unsigned distance = edit_distance(wrong, name, least);
        if (distance >= least) continue;
        least = distance;
        best = name;
    }
    return best;
}

}  // namespace culver
