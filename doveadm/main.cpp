// doveadm: the administrator's tool. Reads the global options, finds the command in the table and runs it.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "doveadm/command.h"
#include "doveadm/mail-command.h"
#include "doveadm/usage.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-config/load.h"

namespace culver::doveadm {

namespace {

void print_error(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

// Reads -c -o -f -D -v from the front of `words`, which keeps the rest. False: a message was printed, exit 89.
bool parse_global_options(std::vector<std::string>& words, GlobalOptions& options) {
    std::size_t i = 0;
    for (; i < words.size() && words[i].size() > 1 && words[i][0] == '-'; ++i) {
        const std::string word = words[i];
        if (word == "--") {
            ++i;
            break;
        }
        for (std::size_t k = 1; k < word.size(); ++k) {
            const char letter = word[k];
            if (letter == 'D' || letter == 'v') {
                (letter == 'D' ? options.debug : options.verbose) = true;
                continue;
            }
            if (letter != 'c' && letter != 'o' && letter != 'f') {
                print_error(fmt::format("doveadm: invalid option -- '{}'\n", letter));
                return false;
            }
            std::string value = word.substr(k + 1);
            if (value.empty()) {
                if (i + 1 == words.size()) {
                    print_error(fmt::format("doveadm: option requires an argument -- '{}'\n", letter));
                    return false;
                }
                value = words[++i];
            }
            if (letter == 'c') options.config_path = value;
            if (letter == 'f') options.formatter = value;
            if (letter == 'o') {
                const std::size_t equals = value.find('=');
                if (equals == std::string::npos) {
                    print_error(fmt::format("doveadm: Fatal: Invalid -o parameter {}: Missing '='\n", value));
                    return false;
                }
                options.overrides.emplace_back(value.substr(0, equals), value.substr(equals + 1));
            }
            break;
        }
    }
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
}

// The command whose words stand at the front of `words`, the longest match. `group` gets the words that match a group.
const CommandSpec* find_command(const std::vector<std::string>& words, std::string& group, std::size_t& used) {
    const CommandSpec* found = nullptr;
    for (const CommandSpec* command : command_table()) {
        const auto parts = split(command->words, ' ');
        std::size_t same = 0;
        while (same < parts.size() && same < words.size() && words[same] == parts[same]) ++same;
        if (same == parts.size() && (!found || same > used)) {
            found = command;
            used = same;
        } else if (same > 0 && same < parts.size()) {
            std::string matched;
            for (std::size_t i = 0; i < same; ++i) matched += (i > 0 ? " " : "") + words[i];
            if (matched.size() > group.size()) group = matched;
        }
    }
    return found;
}

bool load(Invocation& call) {
    LoadOptions options;
    options.path = call.global().config_path;
    // "mail" is what the user databases call mail_location; Dovecot takes it here too.
    for (const auto& [name, value] : call.global().overrides)
        options.overrides.emplace_back(name == "mail" ? "mail_location" : name, value);
    const LoadedSettings loaded = load_settings(options);
    for (const Diagnostic& problem : loaded.diagnostics) {
        const bool is_error = problem.severity == Severity::Error;
        if (!is_error && !call.global().verbose) continue;
        print_error(fmt::format("doveadm: {}: {}: {}{}{}\n", is_error ? "Fatal" : "Warning", problem.where.to_string(),
                                problem.text, problem.hint.empty() ? "" : " - ", problem.hint));
    }
    if (!loaded.settings) return false;
    SettingFilter filter;
    filter.protocol = "doveadm";
    call.set_settings(loaded.settings->for_filter(filter));
    return true;
}

int run(std::vector<std::string> words) {
    GlobalOptions global;
    if (words.size() == 1 && words[0] == "--version") {
        print("2.3.19.1 (Culver)\n");
        return kExitOk;
    }
    if (!parse_global_options(words, global)) return kExitConfiguration;
    std::string group;
    std::size_t used = 0;
    const CommandSpec* command = find_command(words, group, used);
    if (!command) {
        print_error(usage_text(command_table(), group));
        return kExitUsage;
    }
    auto formatter = make_formatter(global.formatter.empty() ? command->formatter : global.formatter);
    if (!formatter) {
        print_error(fmt::format("doveadm: Fatal: Unknown print formatter: {}\n", global.formatter));
        return kExitTemporary;
    }
    set_log_prefix("doveadm: ");
    set_log_debug(global.debug);
    Invocation call(*command, std::move(global));
    call.set_formatter(std::move(formatter));
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
    if (!call.parse(words)) return kExitUsage;
    if (command->needs == Needs::Settings && !load(call)) return kExitConfiguration;
    const int code = command->is_mail_command() ? run_mail_command(call) : command->run(call);
    call.out().finish();
    return code;
}

}  // namespace

}  // namespace culver::doveadm

int main(int argc, char** argv) {
    // A reader that has seen enough (`doveadm ... | head`) ends us by EPIPE in write, not in the middle of a mailbox.
    std::signal(SIGPIPE, SIG_IGN);
    return culver::doveadm::run(std::vector<std::string>(argv + 1, argv + argc));
}
