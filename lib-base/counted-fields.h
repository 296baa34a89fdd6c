// Fields with their length in front, "5:hello", as processes of one program send them to each other: any bytes may
// stand in a field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culver {

void put_field(std::string& out, std::string_view field);
void put_field(std::string& out, std::uint64_t number);

// Reads them in their order. Keeps its first error; afterwards all fields are empty and all numbers 0.
class FieldReader {
public:
    explicit FieldReader(std::string_view bytes) : rest_(bytes) {}
    std::string_view next();  // points into the bytes
    std::uint64_t number();
    bool ok() const { return ok_; }
    bool more() const { return ok_ && !rest_.empty(); }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace culver
