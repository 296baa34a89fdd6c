// ByteWriter and ByteReader: little-endian numbers and counted strings, as our own files hold them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace culver {

static_assert(std::endian::native == std::endian::little, "the index files are little-endian and mapped as they are");

class ByteWriter {
public:
    template <typename T>
    ByteWriter& number(std::type_identity_t<T> value) {
        static_assert(std::is_integral_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    ByteWriter& raw(std::string_view bytes) {
        bytes_.append(bytes);
        return *this;
    }
    // A u32 length, then the bytes.
    ByteWriter& counted(std::string_view bytes) {
        return number<std::uint32_t>(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
    }
    const std::string& bytes() const { return bytes_; }
    std::string& bytes() { return bytes_; }

private:
    std::string bytes_;
};

// Keeps its first error: after reading past the end everything is zero or empty and ok() is false.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <typename T>
    T number() {
        static_assert(std::is_integral_v<T>);
        T value{};
        if (rest_.size() < sizeof value) {
            fail();
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return value;
    }
    std::string_view raw(std::size_t size) {
        if (rest_.size() < size) {
            fail();
            return {};
        }
        std::string_view bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    std::string_view counted() { return raw(number<std::uint32_t>()); }
    bool ok() const { return ok_; }
    bool at_end() const { return rest_.empty(); }
    std::size_t left() const { return rest_.size(); }
    void fail() {
        ok_ = false;
        rest_ = {};
    }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace culver
