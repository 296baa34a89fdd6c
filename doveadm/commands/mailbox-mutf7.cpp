// doveadm mailbox mutf7 [-7|-8] <name> ...: converts mailbox names between UTF-8 and modified UTF-7 (RFC 3501 §5.1.3).
#include <fmt/format.h>

#include "doveadm/commands.h"
#include "lib-mail/modified-utf7.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    if (call.arguments().empty()) return call.usage();
    const bool from_utf8 = call.has('8') || !call.has('7');
    int code = kExitOk;
    for (const std::string& name : call.arguments()) {
        const auto converted = from_utf8 ? modified_utf7_encode(name) : modified_utf7_decode(name);
        if (converted) {
            print(*converted + "\n");
        } else {
            call.error(fmt::format("Mailbox name not valid {}: {}", from_utf8 ? "UTF-8" : "mUTF-7", name));
            code = kExitUsage;
        }
    }
    return code;
}

}  // namespace

const CommandSpec kMailboxMutf7 = {
    .words = "mailbox mutf7",
    .synopsis = "[-7|-8] <name> [...]",
    .help = "Converts mailbox names from UTF-8 to the modified UTF-7 of IMAP and of Maildir folders, or back.",
    .options = {{'7', "", "The names are modified UTF-7"}, {'8', "", "The names are UTF-8 (default)"}},
    .needs = Needs::Nothing,
    .run = run,
};

}  // namespace culver::doveadm
