#include "lib-base/counted-fields.h"

#include "lib-base/text.h"

namespace culver {

void put_field(std::string& out, std::string_view field) {
    out.append(std::to_string(field.size())).append(":").append(field);
}

void put_field(std::string& out, std::uint64_t number) { put_field(out, std::string_view(std::to_string(number))); }

std::string_view FieldReader::next() {
    constexpr std::size_t kLongestLength = 12;
    const auto colon = rest_.substr(0, kLongestLength).find(':');
    const auto size = colon == std::string_view::npos ? std::nullopt : parse_uint32(rest_.substr(0, colon));
    if (!size || *size > rest_.size() - colon - 1) {
        ok_ = false;
        rest_ = {};
        return {};
    }
    const std::string_view field = rest_.substr(colon + 1, *size);
    rest_.remove_prefix(colon + 1 + *size);
    return field;
}

std::uint64_t FieldReader::number() {
    const auto value = parse_uint64(next());
    ok_ = ok_ && value;
    return value.value_or(0);
}

}  // namespace culver
