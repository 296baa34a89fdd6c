#include "doveadm/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "doveadm/command.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

std::string arguments_of(const CommandSpec& command) {
    if (!command.is_mail_command()) return std::string(command.synopsis);
    return fmt::format("[-u <user>|-A] [-S <socket_path>] {}", command.synopsis);
}

}  // namespace

std::string synopsis_line(const CommandSpec& command) {
    return fmt::format("{} {}", command.words, arguments_of(command));
}

std::string usage_text(const std::vector<const CommandSpec*>& table, std::string_view group) {
    // First word below the group -> what stands beside it: the arguments of a command, or the words of a subgroup.
    std::map<std::string, std::string> lines;
    for (const CommandSpec* command : table) {
        std::string_view words = command->words;
        if (!group.empty()) {
            if (!words.starts_with(group) || words.size() <= group.size() || words[group.size()] != ' ') continue;
            words.remove_prefix(group.size() + 1);
        }
        const std::size_t blank = words.find(' ');
        std::string& beside = lines[std::string(words.substr(0, blank))];
        if (blank == std::string_view::npos) {
            beside = arguments_of(*command);
            continue;
        }
        const std::string next(words.substr(blank + 1, words.find(' ', blank + 1) - blank - 1));
        std::vector<std::string> known;
        for (const auto word : split(beside, '|'))
            if (!word.empty()) known.emplace_back(word);
        if (std::find(known.begin(), known.end(), next) == known.end()) known.push_back(next);
        std::sort(known.begin(), known.end());
        beside = join(known, "|");
    }
    std::size_t width = 0;
    for (const auto& [word, beside] : lines) width = std::max(width, word.size());
    std::string text =
        fmt::format("usage: doveadm [-Dv] [-f <formatter>] {}{}<command> [<args>]\n", group, group.empty() ? "" : " ");
    for (const auto& [word, beside] : lines) text += fmt::format("  {:<{}} {}\n", word, width, beside);
    return text;
}

std::string help_text(const CommandSpec& command) {
    std::string text = fmt::format("doveadm {}\n\n{}\n", synopsis_line(command), command.help);
    if (!command.options.empty()) text += "\n";
    for (const OptionSpec& option : command.options) {
        const std::string left = option.value.empty() ? fmt::format("-{}", option.letter)
                                                      : fmt::format("-{} <{}>", option.letter, option.value);
        text += fmt::format("  {:<20} {}\n", left, option.help);
    }
    return text;
}

}  // namespace culver::doveadm
