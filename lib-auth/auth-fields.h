// AuthFields: the ordered `key=value` fields that databases return and the protocol carries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace culver {

struct AuthField {
    std::string key, value;
    bool has_value = true;  // false: a bare key
};

class AuthFields {
public:
    // Replaces the value of a key that is there, otherwise appends.
    void set(std::string_view key, std::string_view value, bool has_value = true);
    // "key=value" or "key".
    void set_pair(std::string_view pair);
    void remove(std::string_view key);
    void clear() { fields_.clear(); }
    // Null if it is not there; valid until the fields change.
    const AuthField* find(std::string_view key) const;
    bool contains(std::string_view key) const { return find(key) != nullptr; }
    bool empty() const { return fields_.empty(); }
    std::size_t size() const { return fields_.size(); }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }

    // TAB + field for each, escaped: the only place where values enter the line protocol (security rule M2).
    void append_to(std::string& line) const;

private:
    std::vector<AuthField> fields_;
};

// TAB key=value with the value escaped.
void append_auth_field(std::string& line, std::string_view key, std::string_view value);
// The same; nothing for an empty value.
void append_auth_field_if_any(std::string& line, std::string_view key, std::string_view value);

}  // namespace culver
