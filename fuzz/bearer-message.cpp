// The client's message of OAUTHBEARER (first byte even) or XOAUTH2 (odd).
#include "lib-auth/mechanisms/bearer-message.h"

#include <string_view>

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 1) return 0;
    std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto parsed = data[0] & 1 ? mechanisms::parse_xoauth2(message) : mechanisms::parse_oauthbearer(message);
    bool usable = parsed.problem.empty();
    if (usable && (!parsed.has_user || parsed.token.empty())) __builtin_trap();
    if (usable && parsed.token.find_first_of("\r\n\1") != parsed.token.npos) __builtin_trap();
    return 0;
}
