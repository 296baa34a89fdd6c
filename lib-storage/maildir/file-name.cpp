#include "lib-storage/maildir/file-name.h"

#include <algorithm>

#include "lib-base/text.h"

namespace culver {

namespace {

struct Letter {
    char letter;
    SystemFlag flag;
};
constexpr Letter kLetters[] = {{'D', kDraft}, {'F', kFlagged}, {'R', kAnswered}, {'S', kSeen}, {'T', kDeleted}};
constexpr FileFlags kKeywordMask = ((1U << kFileKeywords) - 1) << 5;

// 0 for a letter without a meaning here.
FileFlags flag_of(char letter) {
    for (const auto& [name, flag] : kLetters)
        if (name == letter) return flag;
    if (letter >= 'a' && letter <= 'z') return file_keyword_bit(static_cast<unsigned>(letter - 'a'));
    return 0;
}

std::optional<std::uint64_t> number_field(std::string_view base, std::string_view key) {
    auto at = base.find(key);
    if (at == std::string_view::npos) return {};
    std::string_view value = base.substr(at + key.size());
    return parse_uint64(value.substr(0, value.find_first_of(",:")));
}

}  // namespace

std::optional<ParsedFileName> parse_file_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name[0] == '.' || name[0] == ':') return {};
    ParsedFileName parsed;
    auto colon = name.find(':');
    parsed.base = name.substr(0, colon);
    if (colon == std::string_view::npos) return parsed;
    parsed.info = name.substr(colon);
    parsed.canonical = false;
    if (!parsed.info.starts_with(":2,")) return parsed;
    char previous = 0;
    bool ordered = true;
    for (char letter : parsed.info.substr(3)) {
        if (letter == ',') {
            ordered = false;
            break;
        }
        FileFlags flag = flag_of(letter);
        if (flag == 0 || letter <= previous) ordered = false;
        parsed.flags |= flag;
        previous = letter;
    }
    parsed.canonical = ordered;
    return parsed;
}

std::string format_info(FileFlags flags, std::string_view odd_info) {
    std::string letters;
    for (const auto& [letter, flag] : kLetters)
        if ((flags & flag) != 0) letters += letter;
    for (unsigned i = 0; i < kFileKeywords; ++i)
        if ((flags & file_keyword_bit(i)) != 0) letters += static_cast<char>('a' + i);
    std::string_view tail;
    if (odd_info.starts_with(":2,")) {
        std::string_view old = odd_info.substr(3);
        if (auto comma = old.find(','); comma != std::string_view::npos) {
            tail = old.substr(comma);
            old = old.substr(0, comma);
        }
        for (char letter : old)
            if (flag_of(letter) == 0 && letters.find(letter) == std::string::npos) letters += letter;
        std::sort(letters.begin(), letters.end());
    }
    return ":2," + letters + std::string(tail);
}

std::optional<std::uint64_t> size_in_name(std::string_view base) { return number_field(base, ",S="); }
std::optional<std::uint64_t> virtual_size_in_name(std::string_view base) { return number_field(base, ",W="); }

FileFlags to_file_flags(std::uint8_t system, const KeywordSet& keywords) {
    static const KeywordSet kLow((1ULL << kFileKeywords) - 1);
    return (system & 31U) | (static_cast<FileFlags>((keywords & kLow).to_ulong()) << 5);
}

MessageFlags from_file_flags(FileFlags flags, const KeywordSet& previous) {
    MessageFlags result;
    result.system = static_cast<std::uint8_t>(flags & 31U);
    result.keywords = (previous >> kFileKeywords) << kFileKeywords;
    result.keywords |= KeywordSet((flags & kKeywordMask) >> 5);
    return result;
}

}  // namespace culver
