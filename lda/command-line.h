// The command line of dovecot-lda.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace culver {

struct LdaCommandLine {
    std::string config = "/etc/dovecot/dovecot.conf";
    std::optional<std::string> user;                             // -d
    std::string path;                                            // -p; empty: standard input
    std::string mailbox = "INBOX";                               // -m
    std::string sender;                                          // -f
    std::string original_recipient;                              // -a
    std::string final_recipient;                                 // -r
    bool reject_by_exit = false;                                 // -e
    std::vector<std::pair<std::string, std::string>> overrides;  // -o name=value
    std::string extra;                                           // an argument that is no option
};

// Nothing on an option that does not exist (getopt has said which, on standard error).
std::optional<LdaCommandLine> parse_lda_command_line(int argc, char** argv);

void print_lda_usage();

}  // namespace culver
