// A set of sequence numbers or UIDs: "1,5:9,20:*" (RFC 9051 §9 sequence-set), kept as sorted, merged ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

class SequenceSet {
public:
    // Both ends included; `first <= last` always.
    struct Range {
        std::uint32_t first, last;
        bool operator==(const Range&) const = default;
    };
    // "*" before it is known how much it is. No UID is ever 2^32 - 1 in practice, and resolve() settles it.
    static constexpr std::uint32_t kStar = 0xffffffff;
    static constexpr std::size_t kRangeLimit = 10000;  // after merging (docs/limits.md)

    // Strict: digits without overflow, no zero, no empty element ("1," is refused). Nothing if `text` is no set or has
    // more than kRangeLimit ranges. Time n log n in the text.
    static std::optional<SequenceSet> parse(std::string_view text);
    // From ascending or unordered single numbers.
    static SequenceSet of(std::span<const std::uint32_t> numbers);

    const std::vector<Range>& ranges() const { return ranges_; }
    bool empty() const { return ranges_.empty(); }
    // The range that ends with "*", if there is one; its first number may be "*" as well.
    const std::optional<Range>& star() const { return star_; }
    bool contains(std::uint32_t number) const;
    std::uint64_t count() const;
    // A number above all others costs no search; ranges are merged.
    void add(std::uint32_t number) { add(Range{number, number}); }
    void add(Range range);

    // The set with "*" meaning `largest`: the greatest sequence number or UID of the mailbox (RFC 9051: "n:*" with
    // n greater than it is the range "*:n"). An empty mailbox (0) makes "*" match nothing.
    SequenceSet resolve(std::uint32_t largest) const;

    // "1:3,7,9:12"; ready for COPYUID, ESEARCH ALL, MODIFIED and VANISHED. "*" is printed as "*".
    std::string to_string() const;
    void append_to(std::string& out) const;

private:
    void normalise();
    std::vector<Range> ranges_;
    // Merged range(s) with "*": from the smallest number combined with it; first = kStar for "*" alone.
    std::optional<Range> star_;
};

}  // namespace culver
