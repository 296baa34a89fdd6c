// The usage texts, made from the command table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace culver::doveadm {

struct CommandSpec;

// "mailbox list [-u <user>|-A] [-S <socket_path>] [-7|-8] ..." for one command.
std::string synopsis_line(const CommandSpec& command);
// The list of commands below the words of `group` ("" = all), as printed for a missing or unknown command.
std::string usage_text(const std::vector<const CommandSpec*>& table, std::string_view group);
// `doveadm help <command>`: synopsis, purpose, options.
std::string help_text(const CommandSpec& command);

}  // namespace culver::doveadm
