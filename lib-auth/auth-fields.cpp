#include "lib-auth/auth-fields.h"

#include <algorithm>

#include "lib-base/text.h"

namespace culver {

namespace {
bool needs_escape(std::string_view text) { return text.find_first_of(std::string_view("\0\1\t\r\n", 5)) != text.npos; }

void append_escaped(std::string& line, std::string_view text) {
    if (needs_escape(text)) line += tab_escape(text);
    else line += text;
}
}  // namespace

void AuthFields::set(std::string_view key, std::string_view value, bool has_value) {
    for (AuthField& field : fields_) {
        if (field.key != key) continue;
        field.value = value;
        field.has_value = has_value;
        return;
    }
    fields_.push_back({std::string(key), std::string(value), has_value});
}

void AuthFields::set_pair(std::string_view pair) {
    std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) set(pair, "", false);
    else set(pair.substr(0, equals), pair.substr(equals + 1));
}

void AuthFields::remove(std::string_view key) {
    std::erase_if(fields_, [&](const AuthField& field) { return field.key == key; });
}

const AuthField* AuthFields::find(std::string_view key) const {
    auto it = std::find_if(fields_.begin(), fields_.end(), [&](const AuthField& field) { return field.key == key; });
    return it == fields_.end() ? nullptr : &*it;
}

void AuthFields::append_to(std::string& line) const {
    for (const AuthField& field : fields_) {
        line += '\t';
        append_escaped(line, field.key);
        if (field.value.empty()) continue;  // an empty value and none look alike
        line += '=';
        append_escaped(line, field.value);
    }
}

void append_auth_field(std::string& line, std::string_view key, std::string_view value) {
    line += '\t';
    line += key;
    line += '=';
    append_escaped(line, value);
}

void append_auth_field_if_any(std::string& line, std::string_view key, std::string_view value) {
    if (!value.empty()) append_auth_field(line, key, value);
}

}  // namespace culver
