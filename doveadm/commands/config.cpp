// doveadm config ...: the same as doveconf.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "doveadm/commands.h"

namespace culver::doveadm {

namespace {

// doveconf lies beside this program.
std::string doveconf_path() {
    std::string path(PATH_MAX, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return path.substr(0, path.rfind('/') + 1) + "doveconf";
}

int run(Invocation& call) {
    const std::string path = doveconf_path();
    std::vector<std::string> words = {"doveconf", "-c", call.global().config_path};
    for (const auto& [name, value] : call.global().overrides) {
        words.emplace_back("-o");
        words.push_back(name + "=" + value);
    }
    for (const std::string& word : call.arguments()) words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(path.c_str(), argv.data());
    call.fatal(fmt::format("execv({}) failed: {}", path, std::strerror(errno)));
    return kExitTemporary;
}

}  // namespace

const CommandSpec kConfig = {
    .words = "config",
    .synopsis = "[doveconf parameters]",
    .help = "Shows the configuration, as doveconf does; parameters that begin with '-' stand behind '--'.",
    .needs = Needs::Nothing,
    .run = run,
};

}  // namespace culver::doveadm
