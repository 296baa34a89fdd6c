#include "lib-mail/unicode-fold.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace culver {

namespace {

struct FoldRun {
    std::uint16_t first, last;
    std::uint16_t step;
    std::int32_t difference;
};
struct FoldMany {
    std::uint16_t from;
    std::uint16_t to[4];  // ends with 0
};

#include "lib-mail/unicode-fold-table.inc"

void append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xe0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

void append_folded_character(std::string& out, std::uint32_t c) {
    const auto many = std::lower_bound(std::begin(kMany), std::end(kMany), c,
                                       [](const FoldMany& entry, std::uint32_t value) { return entry.from < value; });
    if (many != std::end(kMany) && many->from == c) {
        for (const std::uint16_t to : many->to)
            if (to != 0) append_utf8(out, to);
        return;
    }
    const auto run = std::lower_bound(std::begin(kRuns), std::end(kRuns), c,
                                      [](const FoldRun& entry, std::uint32_t value) { return entry.last < value; });
    const bool inside = run != std::end(kRuns) && run->first <= c && (c - run->first) % run->step == 0;
    append_utf8(out, inside ? static_cast<std::uint32_t>(static_cast<std::int32_t>(c) + run->difference) : c);
}

}  // namespace

void append_folded(std::string& out, std::string_view utf8) {
    for (std::size_t at = 0; at < utf8.size();) {
        std::size_t end = at;
        while (end < utf8.size() && static_cast<unsigned char>(utf8[end]) < 0x80) ++end;
        const std::size_t begin = out.size();
        out.append(utf8.substr(at, end - at));
        // A loop without branches, which compilers turn into vector code.
        for (std::size_t i = begin; i < out.size(); ++i) {
            const auto byte = static_cast<unsigned char>(out[i]);
            out[i] = static_cast<char>(byte - ((static_cast<unsigned char>(byte - 'a') < 26) << 5));
        }
        at = end;
        if (at == utf8.size()) break;
        const auto first = static_cast<unsigned char>(utf8[at]);
        const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
        if (length == 1 || length == 4 || at + length > utf8.size()) {
            // No letter outside the first plane is folded.
            const std::size_t take = std::min(length, utf8.size() - at);
            out.append(utf8.substr(at, take));
            at += take;
            continue;
        }
        std::uint32_t c = first & (length == 3 ? 0x0f : 0x1f);
        for (std::size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<unsigned char>(utf8[at + i]) & 0x3f);
        append_folded_character(out, c);
        at += length;
    }
}

std::string fold_text(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    append_folded(out, utf8);
    return out;
}

}  // namespace culver
