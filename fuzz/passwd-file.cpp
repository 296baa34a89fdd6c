// Password files, and the passwords in them: whatever stands there, nobody else may suffer.
#include "lib-auth/passwd-file.h"

#include <string>
#include <string_view>

#include "lib-auth/password-scheme.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    auto table = PasswdFileTable::parse(text);
    table->for_each([&](const PasswdFileEntry& entry) {
        (void)table->find(entry.user);
        auto stored = decode_password(entry.password, "CRYPT");
        // Comparing an expensive hash is libcrypt's and libsodium's business, and slow.
        if (stored && stored->scheme->cost == PasswordCost::Cheap) (void)verify_password(*stored, "secret", entry.user);
    });
    return 0;
}
