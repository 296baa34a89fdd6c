// Records of culver.cache.
#include <cstdint>
#include <string_view>

#include "lib-storage/index/cache-file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    while (!rest.empty()) {
        culver::CacheRecord record = culver::parse_cache_record(rest, true);
        if (record.length == 0) return 0;
        volatile char last = record.value.empty() ? '\0' : record.value.back();
        (void)last;
        rest.remove_prefix(record.length);
    }
    return 0;
}
