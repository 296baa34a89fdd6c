#include "lda/command-line.h"

#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace culver {

std::optional<LdaCommandLine> parse_lda_command_line(int argc, char** argv) {
    LdaCommandLine line;
    for (int option; (option = ::getopt(argc, argv, "a:c:d:ef:hkm:o:p:r:")) != -1;) {
        switch (option) {
            case 'a': line.original_recipient = optarg; break;
            case 'c': line.config = optarg; break;
            case 'd': line.user = optarg; break;
            case 'e': line.reject_by_exit = true; break;
            case 'f': line.sender = optarg; break;
            case 'k': break;  // keep the environment: nothing is started that would see it
            case 'm':
                if (*optarg) line.mailbox = optarg;
                break;
            case 'o': {
                const std::string_view assignment = optarg;
                const auto equals = assignment.find('=');
                line.overrides.emplace_back(assignment.substr(0, equals),
                                            equals == std::string_view::npos ? "" : assignment.substr(equals + 1));
                break;
            }
            case 'p': line.path = optarg; break;
            case 'r': line.final_recipient = optarg; break;
            default: return std::nullopt;
        }
    }
    if (optind < argc) line.extra = argv[optind];
    return line;
}

void print_lda_usage() {
    std::fputs(
        "Usage: dovecot-lda [-c <config file>] [-d <username>] [-p <path>]\n"
        "                   [-m <mailbox>] [-e] [-k] [-f <envelope sender>]\n"
        "                   [-a <original envelope recipient>]\n"
        "                   [-r <final envelope recipient>]\n",
        stderr);
}

}  // namespace culver
