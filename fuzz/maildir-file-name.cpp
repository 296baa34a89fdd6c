// Names of files in a Maildir: what is parsed is written again with the same flags and the same identity.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib-storage/maildir/file-name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view name(reinterpret_cast<const char*>(data), size);
    auto parsed = culver::parse_file_name(name);
    if (!parsed) return 0;
    (void)culver::size_in_name(parsed->base);
    (void)culver::virtual_size_in_name(parsed->base);
    const std::string again = std::string(parsed->base) + culver::format_info(parsed->flags, parsed->info);
    auto second = culver::parse_file_name(again);
    if (second && (second->base != parsed->base || second->flags != parsed->flags)) std::abort();
    if (parsed->canonical && !parsed->info.empty() && again != name) std::abort();
    return 0;
}
