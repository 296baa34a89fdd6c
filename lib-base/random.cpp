#include "lib-base/random.h"

#include <sys/random.h>

#include <cstring>

#include "lib-base/assert.h"

namespace culver {

std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        ssize_t n = ::getrandom(bytes.data() + done, size - done, 0);
        ASSERT(n > 0);
        done += static_cast<std::size_t>(n);
    }
    return bytes;
}

std::uint64_t random_uint64() {
    std::uint64_t value;
    std::string bytes = random_bytes(sizeof value);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

}  // namespace culver
