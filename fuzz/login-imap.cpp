// What a stranger may send to an IMAP port: the scanner and the parser of commands before login, byte stream in,
// commands out. Nothing may crash, hang, or take more than the limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib-imap/command-scanner.h"
#include "login/imap/prelogin-command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace culver;
    std::string input(reinterpret_cast<const char*>(data), size);
    CommandScanner scanner({.line = 8 << 10, .literal = 4 << 10, .literals = 8 << 10});
    for (;;) {
        const ScanResult found = scanner.scan(input);
        if (found.kind == ScanResult::Kind::NeedLiteral) {
            scanner.accept_literal();
            continue;
        }
        if (found.kind != ScanResult::Kind::Complete) return 0;
        if (found.length > input.size() || found.text_length > found.length) __builtin_trap();
        const PreloginCommand command = parse_prelogin_command(std::string_view(input).substr(0, found.text_length));
        if (command.tag.empty() || command.user.find('\0') != std::string::npos) __builtin_trap();
        input.erase(0, found.length);
        scanner.reset();
    }
}
