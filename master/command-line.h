// What the `dovecot` command was asked to do.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct CommandLine {
    enum class Action { Start, Stop, Reload, ShowSettings, Version, BuildOptions, HostDomain, Help, Doveadm };
    Action action = Action::Start;
    std::string config_path = "/etc/dovecot/dovecot.conf";
    std::vector<std::pair<std::string, std::string>> overrides;
    bool foreground = false, ask_key_password = false;
    char show_flag = 'n';            // ShowSettings: n or a
    std::vector<std::string> words;  // Doveadm: the command and its arguments

    // An Error's detail is what to print before the usage.
    static Result<CommandLine> parse(int argc, char** argv);
};

inline constexpr char kUsage[] =
    "Usage: dovecot [-F] [-c <config file>] [-o <setting>=<value>] [-p] [-n] [-a] [--help] [--version]\n"
    "       [--build-options] [--hostdomain] [reload] [stop]\n";

}  // namespace culver
