// TypicalPassword: a stored password of the kind that most of those seen so far have.
//
// An unknown user is compared with it, so that he costs what a known one costs (security rule M7). For databases that
// cannot be looked through. Thread-safe, bounded.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/secret-string.h"

namespace culver {

// What comparing a stored password costs, as far as its beginning says: "{SCHEME}", "$6$rounds=10000$", "$2y$10$".
std::string_view password_kind(std::string_view stored);

class TypicalPassword {
public:
    // A stored password that was found, with its {SCHEME} if it has one.
    void remember(const SecretString& stored);
    // Empty before the first.
    std::string password() const;

private:
    struct Kind {
        std::string name;
        SecretString sample;
        std::uint64_t count = 0;
    };
    mutable std::mutex mutex_;  // guards kinds_
    std::vector<Kind> kinds_;   // the most frequent first
};

}  // namespace culver
