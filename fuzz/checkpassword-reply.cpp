// What a checkpassword program answers on descriptor 4, and what becomes of it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib-auth/checkpassword.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ProgramResult result{ProgramResult::End::Exited, data[0] % 4, 1,
                         std::string(reinterpret_cast<const char*>(data) + 1, size - 1), ""};
    using checkpassword::Mode;
    for (Mode mode : {Mode::Verify, Mode::Credentials, Mode::User}) {
        auto answer = checkpassword::judge(result, mode);
        if (!answer || answer->kind != checkpassword::Answer::Kind::Yes) continue;
        if (result.output.empty() || result.output.find('\n') != std::string::npos) std::abort();
        std::string line;
        answer->fields.append_to(line);
        if (line.find('\n') != line.npos || line.find('\0') != line.npos) std::abort();
        const AuthField* user = answer->fields.find("user");
        if (mode != Mode::User && user && user->value.empty()) std::abort();
    }
    return 0;
}
