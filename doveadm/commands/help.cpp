// doveadm help [<command>]: the list of commands, or one command in words.
#include <cstdio>

#include "doveadm/commands.h"
#include "doveadm/usage.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call) {
    const std::string wanted = join(call.arguments(), " ");
    for (const CommandSpec* command : command_table()) {
        if (command->words != wanted) continue;
        print(help_text(*command));
        return kExitOk;
    }
    const std::string text = usage_text(command_table(), wanted);
    // A group without such commands has one line only.
    const bool is_known = text.find('\n') + 1 != text.size();
    const std::string shown = is_known ? text : usage_text(command_table(), "");
    std::fwrite(shown.data(), 1, shown.size(), stderr);
    return kExitUsage;
}

}  // namespace

const CommandSpec kHelp = {
    .words = "help",
    .synopsis = "[<cmd>]",
    .help = "Shows the list of commands, or what one command does.",
    .needs = Needs::Nothing,
    .run = run,
};

}  // namespace culver::doveadm
