// The configuration parser on any bytes: no crash, no endless work; what it accepts survives printing and the way to
// another process.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib-config/parser.h"
#include "lib-config/print.h"
#include "lib-config/settings-data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace culver;
    if (size > 65536) return 0;
    std::string text(reinterpret_cast<const char*>(data), size);
    // Names in filters are resolved and files are read: neither belongs into a fuzzer.
    if (text.find("!include") != std::string::npos || text.find("local") != std::string::npos ||
        text.find("remote") != std::string::npos)
        return 0;
    std::vector<Diagnostic> diagnostics;
    auto made = config::make_default_config();
    made->path = "/fuzz.conf";
    config::Parser parser(*made, diagnostics, /*expand_files=*/false);
    parser.parse_text("/fuzz.conf", text);
    auto settings = config::make_settings(std::move(made));
    (void)format_diagnostics(diagnostics, "fuzz");
    // The rest handles every setting there is, which takes a hundred times as long as parsing: one input in sixteen.
    std::uint32_t hash = 2166136261u;
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 16777619u;
    if (hash >> 28 != 0) return 0;
    std::string printed = print_settings(*settings, {});
    auto copy = Settings::deserialize(settings->serialize());
    if (!copy || print_settings(**copy, {}) != printed) std::abort();
    (void)settings->for_filter({"imap", {}, {}, {}})->string("mail_location");
    return 0;
}
