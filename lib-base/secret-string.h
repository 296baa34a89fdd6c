// SecretString: a password or key in memory. Wiped when it goes, never printed, compared in constant time.
#pragma once

#include <string>
#include <string_view>

#include "lib-base/text.h"

namespace culver {

class SecretString {
public:
    SecretString() = default;
    explicit SecretString(std::string_view value) : value_(value) {}
    SecretString(const SecretString&) = default;
    SecretString& operator=(const SecretString& other) {
        if (this != &other) {
            wipe();
            value_ = other.value_;
        }
        return *this;
    }
    SecretString(SecretString&& other) noexcept : value_(other.value_) { other.wipe(); }
    SecretString& operator=(SecretString&& other) noexcept {
        if (this != &other) {
            wipe();
            value_ = other.value_;
            other.wipe();
        }
        return *this;
    }
    ~SecretString() { wipe(); }

    // The only way to the bytes; the name makes each use visible to a reviewer. Valid while this object lives.
    std::string_view reveal() const { return value_; }
    bool empty() const { return value_.empty(); }
    std::size_t size() const { return value_.size(); }
    bool equals(std::string_view other) const { return equals_constant_time(value_, other); }

private:
    void wipe() {
        if (!value_.empty()) explicit_bzero_string(value_);
        value_.clear();
    }
    static void explicit_bzero_string(std::string& text);

    std::string value_;
};

}  // namespace culver
