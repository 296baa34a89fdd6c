// dovecot.index: a header, extension headers, then records of a fixed size.
#include "lib-storage/dovecot-index/snapshot-parser.h"

#include <algorithm>

namespace culver::dovecot_index {

namespace {

constexpr std::size_t kBaseHeader = 120;
constexpr std::size_t kExtensionHeader = 16;
constexpr std::size_t kRecordMinimum = 5;  // uid and flags

std::unexpected<Error> corrupt(const char* what) {
    return fail(ErrorCode::Corrupt, std::string("dovecot.index: ") + what);
}

std::size_t aligned(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

struct KeywordColumn {
    std::size_t offset = 0, size = 0;    // within a record
    std::vector<std::size_t> positions;  // bit -> position in Model::keywords; kKeywordLimit = ignored
};

// The names, and which bit of a record stands for which.
void read_keyword_names(std::string_view data, Model& model, KeywordColumn& column) {
    const std::uint32_t count = number_at<std::uint32_t>(data, 0).value_or(0);
    if (count > (data.size() - std::min<std::size_t>(data.size(), 4)) / 8) return;
    const std::size_t names_at = 4 + std::size_t{count} * 8;
    for (std::uint32_t i = 0; i < count && i < kKeywordLimit; ++i) {
        const std::size_t at = names_at + field_at<std::uint32_t>(data, 4 + std::size_t{i} * 8 + 4);
        if (at >= data.size()) return;
        const std::size_t end = data.find('\0', at);
        if (end == std::string_view::npos) return;
        column.positions.push_back(model.keyword(data.substr(at, end - at)).value_or(kKeywordLimit));
    }
}

struct Layout {
    std::size_t header_size = 0, record_size = 0;
    std::uint32_t messages = 0;
    KeywordColumn keywords;
};

// Extension headers stand between the base header and the records.
Status read_extensions(std::string_view bytes, std::size_t at, Layout& layout, Model& model) {
    while (at + kExtensionHeader <= layout.header_size) {
        const auto data_size = field_at<std::uint32_t>(bytes, at);
        const auto record_offset = field_at<std::uint16_t>(bytes, at + 8);
        const auto record_size = field_at<std::uint16_t>(bytes, at + 10);
        const auto name_size = field_at<std::uint16_t>(bytes, at + 14);
        const std::size_t data_at = at + aligned(kExtensionHeader + name_size);
        if (name_size == 0 || data_at > layout.header_size || data_size > layout.header_size - data_at)
            return corrupt("an extension reaches past the header");
        const std::string_view name = bytes.substr(at + kExtensionHeader, name_size);
        const std::string_view data = bytes.substr(data_at, data_size);
        if (name == "modseq")
            model.highest_modseq = std::max(model.highest_modseq, number_at<std::uint64_t>(data, 0).value_or(0));
        if (name == "keywords" && std::size_t{record_offset} + record_size <= layout.record_size) {
            layout.keywords.offset = record_offset;
            layout.keywords.size = record_size;
            read_keyword_names(data, model, layout.keywords);
        }
        at = data_at + aligned(data_size);
    }
    return {};
}

KeywordBits keywords_of(std::string_view record, const KeywordColumn& column) {
    KeywordBits bits;
    for (std::size_t bit = 0; bit < column.positions.size() && bit / 8 < column.size; ++bit) {
        const auto byte = static_cast<unsigned char>(record[column.offset + bit / 8]);
        if ((byte >> (bit % 8) & 1) != 0 && column.positions[bit] < kKeywordLimit) bits.set(column.positions[bit]);
    }
    return bits;
}

}  // namespace

std::optional<std::size_t> Model::keyword(std::string_view name) {
    const auto found = std::find(keywords.begin(), keywords.end(), name);
    if (found != keywords.end()) return static_cast<std::size_t>(found - keywords.begin());
    if (keywords.size() == kKeywordLimit || name.empty() || name.size() > 255) return std::nullopt;
    keywords.emplace_back(name);
    return keywords.size() - 1;
}

Status parse_snapshot(std::string_view bytes, Model& model) {
    if (bytes.size() < kBaseHeader) return corrupt("shorter than its header");
    if (bytes[0] != 7) return corrupt("unknown version");
    if ((bytes[12] & 1) == 0) return corrupt("not little-endian");
    Layout layout;
    const std::size_t base_size = field_at<std::uint16_t>(bytes, 2);
    layout.header_size = field_at<std::uint32_t>(bytes, 4);
    layout.record_size = field_at<std::uint32_t>(bytes, 8);
    if (base_size < kBaseHeader || layout.header_size < base_size || layout.header_size > bytes.size() ||
        layout.record_size < kRecordMinimum)
        return corrupt("sizes in the header cannot be");
    model.uid_validity = field_at<std::uint32_t>(bytes, 24);
    model.next_uid = field_at<std::uint32_t>(bytes, 28);
    layout.messages = field_at<std::uint32_t>(bytes, 32);
    model.log_sequence = field_at<std::uint32_t>(bytes, 60);
    model.log_offset = field_at<std::uint32_t>(bytes, 68);
    TRY(read_extensions(bytes.substr(0, layout.header_size), aligned(base_size), layout, model));

    std::string_view records = bytes.substr(layout.header_size);
    if (layout.messages > records.size() / layout.record_size) return corrupt("shorter than its records");
    model.messages.reserve(layout.messages);
    for (std::uint32_t i = 0; i < layout.messages; ++i) {
        const std::string_view record = records.substr(i * layout.record_size, layout.record_size);
        const auto uid = field_at<std::uint32_t>(record, 0);
        if (uid == 0 || (!model.messages.empty() && uid <= model.messages.back().uid))
            return corrupt("its UIDs do not ascend");
        model.messages.push_back({uid, keywords_of(record, layout.keywords)});
    }
    return {};
}

}  // namespace culver::dovecot_index
