// The command line of doveconf.
#include <fmt/format.h>
#include <getopt.h>
#include <netdb.h>

#include <cstdio>

#include "lib-base/text.h"
#include "lib-config/print.h"

namespace culver {

namespace {

constexpr char kUsage[] =
    "usage: doveconf [-adnNPsSx] [-c config-file] [-o name=value] [-f filter] [-m module]\n"
    "       doveconf [-n] [-c config-file] section_name ...\n"
    "       doveconf [-h] [-c config-file] [-f filter] setting_name ...\n"
    "\n"
    "  -a  all settings                      -n  settings that differ from their default\n"
    "  -d  defaults                          -N  settings that the configuration sets\n"
    "  -h  values without names              -x  contents of files, values of $references\n"
    "  -P  show passwords and keys           -S  one path=value per line\n"
    "  -f  protocol=, service=, lname=, local= or remote= of a connection\n"
    "  -k  check: also name what will fail later\n"
    "  --settings-page  docs/settings.md\n";

struct Arguments {
    LoadOptions load;
    PrintOptions print;
    bool asked_for_all = false, check = false, page = false;
    std::string error;
    bool usage = false;
};

std::optional<IpAddress> find_address(const std::string& host) {
    if (auto address = IpAddress::parse(host)) return address;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, nullptr, &found) != 0) return std::nullopt;
    auto address = IpAddress::from_sockaddr(found->ai_addr);
    freeaddrinfo(found);
    return address;
}

void parse_filter(std::string_view argument, Arguments& out) {
    auto equals = argument.find('=');
    auto name = argument.substr(0, equals);
    std::string value(equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1));
    if (name == "protocol" || name == "service") {
        out.print.filter.protocol = value;
    } else if (name == "lname") {
        out.print.filter.local_name = value;
    } else if (name == "local" || name == "remote") {
        auto address = find_address(value);
        if (!address) out.error = fmt::format("gethostbyname({}) failed: Name or service not known", value);
        (name == "local" ? out.print.filter.local : out.print.filter.remote) = address;
    } else {
        out.error = fmt::format("Unknown filter argument: {}", argument);
    }
}

void parse_override(std::string_view argument, Arguments& out) {
    auto equals = argument.find('=');
    if (equals == std::string_view::npos) {
        out.error = fmt::format("Invalid -o parameter: {} (write -o name=value)", argument);
        return;
    }
    out.load.overrides.emplace_back(trim(argument.substr(0, equals)), trim(argument.substr(equals + 1)));
}

Arguments parse_arguments(int argc, char** argv) {
    static const option kLong[] = {{"settings-page", no_argument, nullptr, 1}, {"help", no_argument, nullptr, 2}, {}};
    Arguments out;
    out.load.expand_files = false;
    optind = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, "ac:df:hkm:nNo:pPsSx", kLong, nullptr);
        if (letter < 0) break;
        switch (letter) {
            case 1: out.page = true; break;
            case 'a': out.asked_for_all = true; break;
            case 'c': out.load.path = optarg; break;
            case 'd': out.print.show = ShowSettings::Defaults; break;
            case 'f': parse_filter(optarg, out); break;
            case 'h': out.print.values_only = true; break;
            case 'k': out.check = true; break;
            case 'm': out.print.module = optarg; break;
            case 'n': out.print.show = ShowSettings::Changed; break;
            case 'N': out.print.show = ShowSettings::Written; break;
            case 'o': parse_override(optarg, out); break;
            case 'P': out.print.show_secrets = true; break;
            case 'S': out.print.flat = out.print.show_secrets = true; break;
            case 'x': out.print.expand = out.load.expand_files = true; break;
            case 'p':
            case 's': break;
            default: out.usage = true; return out;
        }
    }
    for (int i = optind; i < argc; ++i) out.print.names.emplace_back(argv[i]);
    return out;
}

void put(std::FILE* stream, const std::string& text) { std::fwrite(text.data(), 1, text.size(), stream); }

}  // namespace

int doveconf_main(int argc, char** argv, const std::string& program) {
    Arguments arguments = parse_arguments(argc, argv);
    if (arguments.usage) {
        put(stderr, kUsage);
        return 64;
    }
    if (!arguments.error.empty()) {
        put(stderr, fmt::format("{}: Fatal: {}\n", program, arguments.error));
        return kExitConfig;
    }
    if (arguments.page) {
        put(stdout, print_settings_page());
        return 0;
    }
    if (arguments.check) arguments.load.expand_files = true;
    auto loaded = load_settings(arguments.load);
    bool header =
        !arguments.check && arguments.print.names.empty() && !arguments.print.values_only && !arguments.print.flat;
    if (header) put(stdout, print_header(arguments.load.path, arguments.print.show));
    std::fflush(stdout);
    put(stderr, format_diagnostics(loaded.diagnostics, program));
    if (!loaded.settings) return kExitConfig;
    if (arguments.check) {
        auto problems = check_settings(*loaded.settings);
        put(stderr, format_diagnostics(problems, program, "Error"));
        return problems.empty() ? 0 : 1;
    }
    put(stdout, print_settings(*loaded.settings, arguments.print));
    return 0;
}

}  // namespace culver
