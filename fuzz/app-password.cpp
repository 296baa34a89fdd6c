// App passwords: what a client types, what an admin gives and what stands in the file may be any bytes.
#include "lib-auth/app-passwords/app-password.h"

#include <string>
#include <string_view>

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto letters = app_password_letters(text)) {
        // Whatever has the shape can be kept and found again, and by nothing else.
        const std::string kept = hash_app_password(*letters);
        if (!matches_app_password(kept, *letters) || matches_app_password(kept, SecretString(text.substr(1))))
            __builtin_trap();
    }
    static const SecretString kLetters("abcdefghijkmnpqrstuv");
    (void)matches_app_password(text, kLetters);
    if (auto services = parse_app_services(text))
        // What is kept reads as the same again.
        if (parse_app_services(*services).value_or("?") != *services) __builtin_trap();
    if (auto networks = parse_app_networks(text)) {
        AppPassword row;
        row.networks = *networks;
        (void)refusal_of(row, "imap", "192.0.2.7", 1);
        (void)refusal_of(row, text, text, 1);
    }
    if (auto expiry = parse_app_expiry(text, 1'900'000'000))
        if (*expiry && **expiry <= 1'900'000'000) __builtin_trap();
    (void)check_app_password_name(text);
    (void)is_app_password_required(text, "imap");
    return 0;
}
