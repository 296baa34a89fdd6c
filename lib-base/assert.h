// ASSERT: a bug was found. The process logs what it knew and dies; the master starts it again.
#pragma once

namespace culver {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

// Always on, also in release builds: a mailbox is worth more than the nanosecond.
#define ASSERT(condition) \
    (__builtin_expect(!!(condition), 1) ? void(0) : ::culver::assertion_failed(#condition, __FILE__, __LINE__))
