// Dovecot's index files: the first four bytes say where the snapshot ends and the log begins.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib-storage/dovecot-index/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    const std::string_view all(reinterpret_cast<const char*>(data) + 4, size - 4);
    const std::size_t split = (data[0] | std::size_t{data[1]} << 8) % (all.size() + 1);
    (void)culver::parse_dovecot_index(all.substr(0, split), all.substr(split), data[2] ? all.substr(split) : "");
    return 0;
}
