// dovecot: starts, stops and reloads the server.
#include <fmt/format.h>
#include <netdb.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-service/inheritance.h"
#include "lib-service/master-control.h"
#include "lib-service/worker-process.h"
#include "master/base-directory.h"
#include "master/command-line.h"
#include "master/daemonize.h"
#include "master/master.h"
#include "master/version.h"

namespace culver {
namespace {

constexpr int kExitTemporary = 75;

int complain(const std::string& text, int exit_code) {
    fmt::print(stderr, "Fatal: {}\n", text);
    return exit_code;
}

// A program of this installation: bin/<name> beside sbin/.
int run_sibling(const std::string& name, std::vector<std::string> arguments) {
    auto own = own_executable();
    std::string path = "/usr/bin/" + name;
    if (own) {
        const std::string beside = own->substr(0, own->rfind('/')) + "/../bin/" + name;
        if (::access(beside.c_str(), X_OK) == 0) path = beside;
    }
    arguments.insert(arguments.begin(), name);
    ::execv(path.c_str(), exec_pointers(arguments).data());
    return complain(fmt::format("execv({}) failed: {}", path, std::strerror(errno)), 84);
}

int show_settings(const CommandLine& line) {
    std::vector<std::string> arguments{fmt::format("-{}", line.show_flag), "-c", line.config_path};
    for (const auto& [name, value] : line.overrides) {
        arguments.push_back("-o");
        arguments.push_back(name + "=" + value);
    }
    return run_sibling("doveconf", std::move(arguments));
}

int print_host_domain() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* found = nullptr;
    const bool resolved = ::getaddrinfo(name, nullptr, &hints, &found) == 0 && found->ai_canonname;
    fmt::print("{}\n", resolved ? found->ai_canonname : name);
    if (found) ::freeaddrinfo(found);
    return 0;
}

std::string ask_key_password() {
    fmt::print(stderr, "Give the password for SSL keys: ");
    termios before;
    const bool is_terminal = ::tcgetattr(0, &before) == 0;
    if (is_terminal) {
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(0, TCSAFLUSH, &silent);
    }
    std::string password;
    for (int c; (c = std::getchar()) != EOF && c != '\n';) password += static_cast<char>(c);
    if (is_terminal) ::tcsetattr(0, TCSAFLUSH, &before);
    fmt::print(stderr, "\n");
    return password;
}

LoadOptions load_options(const CommandLine& line) {
    LoadOptions options;
    char* absolute = ::realpath(line.config_path.c_str(), nullptr);  // a reload happens in another directory
    options.path = absolute ? absolute : line.config_path;
    ::free(absolute);
    options.overrides = line.overrides;
    return options;
}

// Exits when the configuration cannot be used.
std::shared_ptr<const Settings> load(const LoadOptions& options) {
    LoadedSettings loaded = load_settings(options);
    if (!loaded.diagnostics.empty()) fmt::print(stderr, "{}", format_diagnostics(loaded.diagnostics, "doveconf"));
    if (!loaded.settings) std::exit(kExitConfig);
    return loaded.settings;
}

int control(const CommandLine& line) {
    LoadOptions options = load_options(line);
    options.expand_files = false;
    LoadedSettings loaded = load_settings(options);
    if (!loaded.settings) {
        fmt::print(stderr, "{}", format_diagnostics(loaded.diagnostics, "doveconf"));
        return kExitConfig;
    }
    const std::string& base = loaded.settings->string("base_dir");
    Status status = line.action == CommandLine::Action::Stop ? stop_master(base) : reload_master(base);
    return status ? 0 : complain(status.error().detail, kExitTemporary);
}

int start(CommandLine line) {
    if (line.ask_key_password) line.overrides.emplace_back("ssl_key_password", ask_key_password());
    LoadOptions options = load_options(line);
    auto settings = load(options);
    if (Status status = prepare_base_directory(*settings); !status) return complain(status.error().detail, kExitConfig);
    auto pid_file = PidFile::acquire(settings->string("base_dir"));
    if (!pid_file) return complain(pid_file.error().detail, kExitConfig);
    std::optional<Daemon> daemon;
    if (!line.foreground) {
        auto forked = Daemon::start();
        if (!forked) return complain(forked.error().detail, kExitConfig);
        daemon = std::move(*forked);
    }
    Master master(std::move(options), settings, std::move(*pid_file));
    if (Status status = master.start(); !status) {
        log_line(LogLevel::Fatal, status.error().detail);
        const int code = complain(status.error().detail, kExitConfig);
        if (daemon) daemon->report(code);
        return code;
    }
    if (daemon) daemon->report(0);
    return master.run();
}

int run(int argc, char** argv) {
    auto line = CommandLine::parse(argc, argv);
    if (!line) {
        if (!line.error().detail.empty()) fmt::print(stderr, "{}\n", line.error().detail);
        fmt::print(stderr, "{}", kUsage);
        return kExitConfig;
    }
    switch (line->action) {
        case CommandLine::Action::Version: fmt::print("{} (Culver {})\n", kDovecotVersion, kCulverVersion); return 0;
        case CommandLine::Action::HostDomain: return print_host_domain();
        case CommandLine::Action::Help: fmt::print("{}", kUsage); return 0;
        case CommandLine::Action::BuildOptions:
            fmt::print(
                "Build options: ioloop=epoll notify=inotify openssl\nSQL drivers: sqlite\n"
                "Passdb: checkpassword ldap oauth2 pam passwd passwd-file shadow sql static\n"
                "Userdb: checkpassword ldap passwd passwd-file prefetch sql static\n");
            return 0;
        case CommandLine::Action::ShowSettings: return show_settings(*line);
        case CommandLine::Action::Stop:
        case CommandLine::Action::Reload: return control(*line);
        case CommandLine::Action::Doveadm: return run_sibling("doveadm", line->words);
        case CommandLine::Action::Start: break;
    }
    return start(std::move(*line));
}

}  // namespace
}  // namespace culver

int main(int argc, char** argv) { return culver::run(argc, argv); }
