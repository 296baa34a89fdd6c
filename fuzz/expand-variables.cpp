// %variables on any template and any user name; the first line is the user, the rest the template.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib-config/variables.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    std::string text(reinterpret_cast<const char*>(data), size);
    auto end = text.find('\n');
    culver::UserVariables of;
    of.user = text.substr(0, end);
    of.home = "/home/x";
    if (end == std::string::npos) return 0;
    auto made = culver::expand_variables(std::string_view(text).substr(end + 1), of.lookup());
    if (made && made->size() > (64 << 10) + 4096) std::abort();
    return 0;
}
