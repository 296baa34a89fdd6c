#include "master/command-line.h"

#include <getopt.h>

namespace culver {
namespace {

constexpr int kVersion = 1000, kBuildOptions = 1001, kHostDomain = 1002, kHelp = 1003;
const option kLongOptions[] = {
    {"version", no_argument, nullptr, kVersion},
    {"build-options", no_argument, nullptr, kBuildOptions},
    {"hostdomain", no_argument, nullptr, kHostDomain},
    {"help", no_argument, nullptr, kHelp},
    {nullptr, 0, nullptr, 0},
};

Status take_override(CommandLine& result, std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
        return fail(ErrorCode::InvalidArgument, "-o: '" + std::string(text) + "' is not setting=value");
    result.overrides.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    return {};
}

}  // namespace

Result<CommandLine> CommandLine::parse(int argc, char** argv) {
    CommandLine result;
    ::optind = 1;
    for (int c; (c = ::getopt_long(argc, argv, "+Fc:o:pnah", kLongOptions, nullptr)) != -1;) {
        switch (c) {
            case 'F': result.foreground = true; break;
            case 'c': result.config_path = ::optarg; break;
            case 'o': TRY(take_override(result, ::optarg)); break;
            case 'p': result.ask_key_password = true; break;
            case 'n':
            case 'a':
                result.action = Action::ShowSettings;
                result.show_flag = static_cast<char>(c);
                break;
            case kVersion: result.action = Action::Version; break;
            case kBuildOptions: result.action = Action::BuildOptions; break;
            case kHostDomain: result.action = Action::HostDomain; break;
            case 'h':
            case kHelp: result.action = Action::Help; break;
            default: return fail(ErrorCode::InvalidArgument, "");  // getopt has said what is wrong
        }
    }
    if (::optind == argc) return result;
    const std::string word = argv[::optind];
    if (word == "stop") result.action = Action::Stop;
    else if (word == "reload") result.action = Action::Reload;
    else {
        result.action = Action::Doveadm;
        result.words.assign(argv + ::optind, argv + argc);
    }
    return result;
}

}  // namespace culver
